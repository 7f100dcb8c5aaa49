import ApusCore
import ApusFormats

extension JSONTokenizerReader {
    /// A byte-level vocabulary.
    func bytePairParts(_ chain: JSONPreTokenizerChain, _ endOfGeneration: [Int32]) throws -> TokenizerParts {
        try refuse("continuing_subword_prefix")
        try refuse("end_of_word_suffix")
        var vocabulary = try vocabulary { spelling, bytes in
            ByteAlphabet.decode(spelling.span, 0..<spelling.count, into: &bytes)
        }
        let special = try specialTokens(in: &vocabulary, endOfGeneration: endOfGeneration)
        var builder = BytePairBuilder(vocabulary)
        let model = BytePairModel(
            preTokenizer: chain.preTokenizer,
            normalization: try JSONNormalizer(try root.memberIfPresent("normalizer")).onlyForm(),
            byteTokens: builder.byteTokens,
            merges: try merges(&builder),
            keepsWholePieces: try model.flag("ignore_merges", default: false),
            unknown: special.unknown
        )
        return TokenizerParts(
            vocabulary: vocabulary,
            model: .bytePair(model),
            added: entries.added,
            special: special,
            decoding: .bytes
        )
    }

    /// A vocabulary whose spelled tokens characters of the whole text merge to.
    func sentencePieceParts(_ chain: JSONPreTokenizerChain, _ endOfGeneration: [Int32]) throws -> TokenizerParts {
        try refuse("continuing_subword_prefix")
        try refuse("end_of_word_suffix")
        var vocabulary = try vocabulary { spelling, bytes in
            bytes += spelling
            return true
        }
        let special = try specialTokens(in: &vocabulary, endOfGeneration: endOfGeneration)
        let normalizer = try JSONNormalizer(try root.memberIfPresent("normalizer"))
        let decoder = try JSONDecoderChain(try root.memberIfPresent("decoder"))
        let byteTokens = try byteTokens()
        let fusesUnknown = try model.flag("fuse_unk", default: false)
        var builder = BytePairBuilder(vocabulary, isByteLevel: false)
        let model = SentencePieceModel(
            spacePrefix: try normalizer.spacePrefix(chain.metaspace),
            collapsesSpaces: false,
            splitsWords: chain.metaspace?.splitsWords ?? false,
            normalization: normalizer.form,
            order: .merges(try merges(&builder)),
            keepsWholePieces: try model.flag("ignore_merges", default: false),
            byteTokens: byteTokens,
            unknown: special.unknown,
            fusesUnknown: fusesUnknown,
            joins: SentencePieceModel.joins(in: vocabulary, byteTokens: byteTokens, fusesUnknown: fusesUnknown)
        )
        let pairs = byteTokens.enumerated().filter { $0.element >= 0 }
        let byteOfToken = Dictionary(pairs.map { ($0.element, UInt8($0.offset)) }) { first, _ in first }
        return TokenizerParts(
            vocabulary: vocabulary,
            model: .sentencePiece(model),
            added: entries.added,
            special: special,
            decoding: .sentencePiece(byteOfToken: byteOfToken, stripsLeadingSpace: decoder.stripsLeadingSpace)
        )
    }

    /// The tokens by id.
    /// - Parameter decode: appends the bytes that a spelling stands for; false if it stands for none.
    func vocabulary(_ decode: ([UInt8], inout [UInt8]) -> Bool) throws -> Vocabulary {
        let added = entries.addedByID()
        var vocabulary = Vocabulary(capacity: entries.count)
        var bytes: [UInt8] = []
        for id in 0..<entries.count {
            bytes.removeAll(keepingCapacity: true)
            let spelling = entries.spelling(id)
            let token = added[Int32(truncatingIfNeeded: id)]
            let kind: TokenKind =
                spelling.isEmpty ? .unused : token.map { $0.isSpecial ? .control : .userDefined } ?? .normal
            let isText = kind != .control && entries.isInModel[id] && decode(spelling, &bytes)
            try vocabulary.append(isText ? bytes : spelling, kind: kind, isText: isText)
        }
        return vocabulary
    }

    /// The token of each byte, if the model falls back to bytes; negative where there is none.
    private func byteTokens() throws -> [Int32] {
        guard try model.flag("byte_fallback", default: false) else { return Array(repeating: -1, count: 256) }
        return (0...255).map { entries.id(of: ByteTokenName.name(UInt8($0))) ?? -1 }
    }

    /// The merges: lines "left right", or pairs.
    private func merges(_ builder: inout BytePairBuilder) throws -> MergeTable {
        let merges = try model.member("merges").elements()
        try TokenizerLimits.check(merges.count, atMost: TokenizerLimits.mergeCount, "\(path): model.merges")
        var table = MergeTable(capacity: merges.count)
        var text: [UInt8] = []
        for (rank, merge) in merges.enumerated() {
            text.removeAll(keepingCapacity: true)
            let isAdded: Bool
            if merge.kind == .string {
                try merge.withStringBytes { text.append(contentsOf: $0) }
                isAdded = builder.addMerge(text, rank: rank, to: &table)
            } else {
                let pair = try merge.elements()
                guard pair.count == 2 else {
                    let field = "\(path): model.merges[\(rank)]"
                    throw ApusError(.malformedFile, "\(field): expected a pair, found \(pair.count) elements")
                }
                var ends: [Int] = []
                for part in pair {
                    try part.withStringBytes { text.append(contentsOf: $0) }
                    ends.append(text.count)
                }
                isAdded = builder.addMerge(text, left: 0..<ends[0], right: ends[0]..<ends[1], rank: rank, to: &table)
            }
            guard isAdded else {
                throw ApusError(
                    .malformedFile,
                    "\(path): model.merges[\(rank)]: expected two tokens that together are a token, "
                        + "found \(text.shownInMessage)"
                )
            }
        }
        return table
    }
}
