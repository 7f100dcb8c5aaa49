import ApusCore
import ApusFormats

extension GGUFTokenizerReader {
    // BERT's own limit.
    private static let longestWord = 100

    /// BERT's vocabulary, whose words begin with U+2581.
    func wordPieceParts(_ endOfGeneration: [Int32]) throws -> TokenizerParts {
        let kinds = try kinds()
        var vocabulary = Vocabulary(capacity: tokens.count)
        try forEachToken { id, text in
            try vocabulary.append(text, kind: kinds[id], isText: !kinds[id].isSpecial)
        }
        var defaults = SpecialTokens()
        (defaults.unknown, defaults.bos) = (100, try id("cls_token_id") ?? 101)
        defaults.addsBOS = true
        var special = try specialTokens(in: &vocabulary, defaults: defaults, endOfGeneration: endOfGeneration)
        // The key is spelled so.
        let separator = try id("seperator_token_id") ?? id("separator_token_id") ?? special.eos
        guard let unknown = special.unknown else {
            throw malformed("unknown_token_id", expected: "0 to \(tokens.count - 1)", found: "nothing")
        }
        special.suffix = separator.map { [$0] } ?? []
        let lowercases = try metadata.boolIfPresent("tokenizer.ggml.normalizer.lowercase") ?? true
        let cleaning = WordPieceModel.Cleaning(
            stripsAccents: try metadata.boolIfPresent("tokenizer.ggml.normalizer.strip_accents") ?? lowercases,
            lowercases: lowercases
        )
        let model = WordPieceModel(
            cleaning: cleaning,
            wordPrefix: SentencePieceModel.spaceMark,
            continuationPrefix: [],
            unknown: unknown,
            longestWord: Self.longestWord
        )
        return TokenizerParts(
            vocabulary: vocabulary,
            model: .wordPiece(model),
            added: try addedTokens(in: vocabulary),
            special: special,
            decoding: .wordPiece(wordPrefix: SentencePieceModel.spaceMark, continuationPrefix: [])
        )
    }
}
