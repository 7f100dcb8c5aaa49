/// Byte-level byte-pair encoding (GPT-2, "Language Models are Unsupervised Multitask Learners", section 2.2): the text
/// is cut by a pre-tokenizer, and the bytes of each piece merge by rank.
struct BytePairModel: Sendable {
    let preTokenizer: PreTokenizer
    let normalization: Normalization
    /// The token of each byte; negative where the vocabulary has none.
    let byteTokens: [Int32]
    let merges: MergeTable
    /// Whether a piece that is a token stays whole even if no merges lead to it.
    let keepsWholePieces: Bool
    /// What stands for a byte without a token; without it, such bytes vanish, as in the references.
    let unknown: Int32?

    /// The text in the form the vocabulary was trained on.
    func normalized(_ text: Span<UInt8>) -> [UInt8] { normalization.apply(to: text) }

    /// Appends the tokens of a normalized text; bytes that are not UTF-8 are encoded as U+FFFD.
    func encode(
        _ text: Span<UInt8>,
        _ vocabulary: Vocabulary,
        _ work: inout EncodingWorkspace,
        _ ids: inout [Int32]
    ) {
        let scalars = ScalarText(text)
        let bytes = scalars.utf8
        work.pieces.begin(textByteCount: bytes.count)
        var scalarStart = 0
        var start = 0
        for scalarEnd in preTokenizer.pieceEnds(of: scalars) {
            var end = start
            for index in scalarStart..<scalarEnd { end += UTF8Scanner.length(of: scalars.scalars[index]) }
            if preTokenizer.cutsNumericBytes {
                while let cut = Self.numericCut(bytes.span, start, end) {
                    encodePiece(bytes.span, start, cut, vocabulary, &work, &ids)
                    start = cut
                }
            }
            encodePiece(bytes.span, start, end, vocabulary, &work, &ids)
            (scalarStart, start) = (scalarEnd, end)
        }
    }

    /// Where a run of bytes that are numbers, or that are none, ends inside a piece; nil at the piece's end.
    private static func numericCut(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> Int? {
        let isNumeric = ByteAlphabet.isNumber(bytes[start])
        return (start + 1..<end).first { ByteAlphabet.isNumber(bytes[$0]) != isNumeric }
    }

    private func encodePiece(
        _ text: Span<UInt8>,
        _ start: Int,
        _ end: Int,
        _ vocabulary: Vocabulary,
        _ work: inout EncodingWorkspace,
        _ ids: inout [Int32]
    ) {
        if work.pieces.recall(text, start, end, &ids) { return }
        let idStart = ids.count
        if keepsWholePieces, let id = vocabulary.index.id(of: text, start, end - start) {
            ids.append(id)
        } else {
            merge(text.extracting(start..<end), &work.merger, &ids)
        }
        work.pieces.remember(start, end, idStart: idStart, ids)
    }

    private func merge(_ piece: Span<UInt8>, _ merger: inout PairMerger, _ ids: inout [Int32]) {
        merger.removeAll()
        for position in piece.indices {
            let id = byteTokens[Int(piece[position])]
            if id >= 0 {
                merger.append(id: id, start: position, byteCount: 1)
            } else if let unknown {
                merger.append(id: unknown, start: position, byteCount: 1)
            }
        }
        merger.run(self, on: piece)
        for symbol in merger.symbols where symbol.byteCount > 0 { ids.append(symbol.id) }
    }
}

extension BytePairModel: PairRanking {
    @inline(__always)
    func merge(_ left: Symbol, _ right: Symbol, in piece: Span<UInt8>) -> Merge? { merges.merge(left.id, right.id) }
}
