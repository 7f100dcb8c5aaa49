import ApusCore
import ApusFormats

extension GGUFTokenizerReader {
    /// A byte-level vocabulary with its merges.
    func bytePairParts(_ endOfGeneration: [Int32]) throws -> TokenizerParts {
        let preTokenizer = try preTokenizer()
        var vocabulary = try byteLevelVocabulary()
        let isLlama = preTokenizer == .llamaBPE
        var defaults = SpecialTokens()
        defaults.addsBOS = isLlama
        let special = try specialTokens(in: &vocabulary, defaults: defaults, endOfGeneration: endOfGeneration)
        var builder = BytePairBuilder(vocabulary)
        let model = BytePairModel(
            preTokenizer: preTokenizer,
            normalization: .none,
            byteTokens: builder.byteTokens,
            merges: try merges(&builder),
            keepsWholePieces: isLlama,
            unknown: nil
        )
        return TokenizerParts(
            vocabulary: vocabulary,
            model: .bytePair(model),
            added: try addedTokens(in: vocabulary),
            special: special,
            decoding: .bytes
        )
    }

    private func preTokenizer() throws -> PreTokenizer {
        let key = Self.prefix + "pre"
        let name = try metadata.stringIfPresent(key)
        guard let name, let match = PreTokenizer(named: name) else {
            let known = PreTokenizer.all.map(\.name).joined(separator: ", ")
            throw ApusError(
                .unsupported,
                "\(metadata.path): metadata \"\(key)\": expected one of \(known), "
                    + "found \(name?.debugDescription ?? "nothing")"
            )
        }
        return match
    }

    /// Tokens as the bytes they stand for.
    private func byteLevelVocabulary() throws -> Vocabulary {
        let kinds = try kinds()
        var vocabulary = Vocabulary(capacity: tokens.count)
        var decoded: [UInt8] = []
        try forEachToken { id, spelling in
            decoded.removeAll(keepingCapacity: true)
            let kind = kinds[id]
            let isText =
                kind != .control && kind != .userDefined
                && ByteAlphabet.decode(spelling.span, 0..<spelling.count, into: &decoded)
            try vocabulary.append(isText ? decoded : spelling, kind: kind, isText: isText)
        }
        return vocabulary
    }

    private func merges(_ builder: inout BytePairBuilder) throws -> MergeTable {
        let merges = try metadata.strings(Self.prefix + "merges")
        let field = "\(metadata.path): metadata \"\(Self.prefix)merges\""
        try TokenizerLimits.check(merges.count, atMost: TokenizerLimits.mergeCount, field)
        var table = MergeTable(capacity: merges.count)
        var line: [UInt8] = []
        for rank in merges.indices {
            line.removeAll(keepingCapacity: true)
            merges.withBytes(at: rank) { line.append(contentsOf: $0) }
            guard builder.addMerge(line, rank: rank, to: &table) else {
                throw malformed(
                    "merges",
                    expected: "two tokens that together are a token at index \(rank)",
                    found: line.shownInMessage
                )
            }
        }
        return table
    }
}
