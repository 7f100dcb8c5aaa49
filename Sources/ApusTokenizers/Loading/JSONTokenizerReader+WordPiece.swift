import ApusCore
import ApusFormats

extension JSONTokenizerReader {
    // BERT's own limit.
    private static let longestWord = 100

    /// BERT's vocabulary.
    func wordPieceParts(_ endOfGeneration: [Int32]) throws -> TokenizerParts {
        let preTokenizer = try root.member("pre_tokenizer")
        guard try preTokenizer.componentType() == "BertPreTokenizer" else {
            throw preTokenizer.unsupported("pre_tokenizer \(try preTokenizer.componentType()) for WordPiece")
        }
        var vocabulary = try vocabulary { spelling, bytes in
            bytes += spelling
            return true
        }
        let special = try specialTokens(in: &vocabulary, endOfGeneration: endOfGeneration)
        guard let unknown = special.unknown else {
            throw ApusError(.notFound, "\(path): model.unk_token is missing")
        }
        let prefix = Array((try model.memberIfPresent("continuing_subword_prefix")?.string() ?? "##").utf8)
        let wordPiece = WordPieceModel(
            cleaning: try cleaning(),
            continuationPrefix: prefix,
            unknown: unknown,
            longestWord: try model.memberIfPresent("max_input_chars_per_word")?.integer() ?? Self.longestWord
        )
        return TokenizerParts(
            vocabulary: vocabulary,
            model: .wordPiece(wordPiece),
            added: entries.added,
            special: special,
            decoding: .wordPiece(continuationPrefix: prefix)
        )
    }

    private func cleaning() throws -> WordPieceModel.Cleaning {
        let off = WordPieceModel.Cleaning(
            cleansText: false,
            splitsChinese: false,
            stripsAccents: false,
            lowercases: false
        )
        guard let normalizer = try root.memberIfPresent("normalizer") else { return off }
        guard try normalizer.componentType() == "BertNormalizer" else {
            throw normalizer.unsupported("normalizer \(try normalizer.componentType()) for WordPiece")
        }
        let lowercases = try normalizer.flag("lowercase", default: true)
        return WordPieceModel.Cleaning(
            cleansText: try normalizer.flag("clean_text", default: true),
            splitsChinese: try normalizer.flag("handle_chinese_chars", default: true),
            stripsAccents: try normalizer.flag("strip_accents", default: lowercases),
            lowercases: lowercases
        )
    }
}
