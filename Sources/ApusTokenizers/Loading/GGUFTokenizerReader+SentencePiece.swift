import ApusCore
import ApusFormats

extension GGUFTokenizerReader {
    /// A SentencePiece vocabulary with scores.
    func sentencePieceParts(_ endOfGeneration: [Int32]) throws -> TokenizerParts {
        var (vocabulary, byteOfToken) = try scoredVocabulary()
        var defaults = SpecialTokens()
        (defaults.unknown, defaults.bos, defaults.eos) = (0, 1, 2)
        defaults.addsBOS = true
        let special = try specialTokens(in: &vocabulary, defaults: defaults, endOfGeneration: endOfGeneration)
        var byteTokens = [Int32](repeating: -1, count: 256)
        for (id, byte) in byteOfToken { byteTokens[Int(byte)] = id }
        let addsSpace = try flag("add_space_prefix") ?? true
        let model = SentencePieceModel(
            spacePrefix: addsSpace ? .always : .never,
            collapsesSpaces: try flag("remove_extra_whitespaces") ?? false,
            splitsWords: false,
            normalization: .none,
            order: .scores,
            keepsWholePieces: false,
            byteTokens: byteTokens,
            unknown: special.unknown,
            fusesUnknown: false
        )
        return TokenizerParts(
            vocabulary: vocabulary,
            model: .sentencePiece(model),
            added: try addedTokens(in: vocabulary),
            special: special,
            decoding: .sentencePiece(byteOfToken: byteOfToken, stripsLeadingSpace: addsSpace)
        )
    }

    private func scoredVocabulary() throws -> (Vocabulary, byteOfToken: [Int32: UInt8]) {
        let kinds = try kinds()
        let scores = try metadata.floats(Self.prefix + "scores")
        guard scores.count == tokens.count else {
            throw malformed("scores", expected: "\(tokens.count) entries", found: "\(scores.count)")
        }
        var vocabulary = Vocabulary(capacity: tokens.count)
        var byteOfToken: [Int32: UInt8] = [:]
        var bytesSeen = Set<UInt8>()
        try forEachToken { id, text in
            let kind = kinds[id]
            if kind == .byte {
                guard let byte = ByteTokenName.byte(text), bytesSeen.insert(byte).inserted else {
                    let expected = "a byte of its own as \"<0x00>\" to \"<0xFF>\" for token \(id)"
                    throw malformed("tokens", expected: expected, found: text.shownInMessage)
                }
                byteOfToken[Int32(truncatingIfNeeded: id)] = byte
            }
            let isText = kind == .normal || kind == .userDefined || kind == .unused
            try vocabulary.append(text, kind: kind, score: scores[id], isText: isText)
        }
        return (vocabulary, byteOfToken)
    }
}

/// The spelling of byte tokens, `<0x00>` to `<0xFF>`.
enum ByteTokenName {
    /// The byte a name spells; nil if it spells none.
    static func byte(_ name: [UInt8]) -> UInt8? {
        guard name.count == 6, name.starts(with: Array("<0x".utf8)), name.last == UInt8(ascii: ">") else { return nil }
        let digits = String(decoding: name[3..<5], as: UTF8.self)
        return digits.contains("+") || digits.contains("-") ? nil : UInt8(digits, radix: 16)
    }
}
