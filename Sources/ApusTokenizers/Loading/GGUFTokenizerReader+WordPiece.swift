import ApusCore
import ApusFormats

extension GGUFTokenizerReader {
    // BERT's own limit.
    private static let longestWord = 100

    // BERT's own prefix, which GGUF leaves out.
    private static let continuationPrefix = Array("##".utf8)

    /// BERT's vocabulary.
    ///
    /// GGUF marks the tokens that begin words with U+2581; BERT marks the others.
    func wordPieceParts(_ endOfGeneration: [Int32]) throws -> TokenizerParts {
        let kinds = try kinds()
        var vocabulary = Vocabulary(capacity: tokens.count)
        try forEachToken { id, text in
            let isText = !kinds[id].isSpecial
            let isWord = text.starts(with: SentencePieceModel.spaceMark)
            let inner = text.dropFirst(SentencePieceModel.spaceMark.count)
            let word = isWord ? Array(inner) : Self.continuationPrefix + text
            try vocabulary.append(isText ? word : text, kind: kinds[id], isText: isText)
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
            continuationPrefix: Self.continuationPrefix,
            unknown: unknown,
            longestWord: Self.longestWord
        )
        return TokenizerParts(
            vocabulary: vocabulary,
            model: .wordPiece(model),
            added: try addedTokens(in: vocabulary),
            special: special,
            decoding: .wordPiece(continuationPrefix: Self.continuationPrefix)
        )
    }
}
