import ApusCore
import ApusFormats

extension GGUFTokenizerReader {
    /// A SentencePiece vocabulary.
    func sentencePieceParts(_ endOfGeneration: [Int32]) throws -> TokenizerParts {
        var (vocabulary, byteOfToken) = try rankedVocabulary()
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
            order: .tokens,
            keepsWholePieces: false,
            byteTokens: byteTokens,
            unknown: special.unknown,
            fusesUnknown: false,
            joins: SentencePieceModel.joins(in: vocabulary, byteTokens: byteTokens, fusesUnknown: false)
        )
        return TokenizerParts(
            vocabulary: vocabulary,
            model: .sentencePiece(model),
            added: try addedTokens(in: vocabulary),
            special: special,
            decoding: .sentencePiece(byteOfToken: byteOfToken, stripsLeadingSpace: addsSpace)
        )
    }

    private func rankedVocabulary() throws -> (Vocabulary, byteOfToken: [Int32: UInt8]) {
        let kinds = try kinds()
        let ranks = try ranks()
        var vocabulary = Vocabulary(capacity: tokens.count)
        var byteOfToken: [Int32: UInt8] = [:]
        var bytesSeen = Set<UInt8>()
        try forEachToken { id, text in
            var (text, kind) = (text, kinds[id])
            if isGemma, kind == .userDefined, let marked = Self.markedSpaces(text) { (text, kind) = (marked, .normal) }
            if kind == .byte {
                guard let byte = ByteTokenName.byte(text), bytesSeen.insert(byte).inserted else {
                    let expected = "a byte of its own as \"<0x00>\" to \"<0xFF>\" for token \(id)"
                    throw malformed("tokens", expected: expected, found: text.shownInMessage)
                }
                byteOfToken[Int32(truncatingIfNeeded: id)] = byte
            }
            let isText = kind == .normal || kind == .userDefined || kind == .unused
            try vocabulary.append(text, kind: kind, rank: ranks[id], isText: isText)
        }
        return (vocabulary, byteOfToken)
    }

    /// Gemma's scores don't follow the order of its merges, the tokens themselves do; and its files spell tokens of
    /// several spaces with spaces, though they merge like others (as in Gemma's own tokenizer.json).
    private var isGemma: Bool {
        (try? metadata.stringIfPresent("general.architecture"))?.hasPrefix("gemma") ?? false
    }

    /// The text in space marks, if it is nothing but spaces.
    private static func markedSpaces(_ text: [UInt8]) -> [UInt8]? {
        guard !text.isEmpty, text.allSatisfy({ $0 == UInt8(ascii: " ") }) else { return nil }
        return text.flatMap { _ in SentencePieceModel.spaceMark }
    }

    /// When pairs merge to each token.
    private func ranks() throws -> [UInt32] {
        guard !isGemma else { return (0..<tokens.count).map { UInt32(truncatingIfNeeded: $0) } }
        let scores = try metadata.floats(Self.prefix + "scores")
        guard scores.count == tokens.count else {
            throw malformed("scores", expected: "\(tokens.count) entries", found: "\(scores.count)")
        }
        // Higher scores first: the bits of a float, made to sort like unsigned integers, and turned round.
        return scores.map { score in
            let bits = score.bitPattern
            return bits >> 31 == 0 ? ~(bits | 0x8000_0000) : bits
        }
    }
}

/// The spelling of byte tokens, `<0x00>` to `<0xFF>`.
enum ByteTokenName {
    /// The name of a byte's token.
    static func name(_ byte: UInt8) -> [UInt8] {
        let digits = String(byte, radix: 16, uppercase: true)
        return Array("<0x\(digits.count < 2 ? "0" : "")\(digits)>".utf8)
    }

    /// The byte a name spells; nil if it spells none.
    static func byte(_ name: [UInt8]) -> UInt8? {
        guard name.count == 6, name.starts(with: Array("<0x".utf8)), name.last == UInt8(ascii: ">") else { return nil }
        let digits = String(decoding: name[3..<5], as: UTF8.self)
        return digits.contains("+") || digits.contains("-") ? nil : UInt8(digits, radix: 16)
    }
}
