/// Turns spelled merges into ids.
struct BytePairBuilder {
    private let vocabulary: Vocabulary
    private let isByteLevel: Bool
    /// The token of each byte; negative where there is none.
    let byteTokens: [Int32]
    // What a merge spells, left and right.
    private var bytes: [UInt8] = []

    /// - Parameter isByteLevel: whether merges are spelled in the alphabet of bytes.
    init(_ vocabulary: Vocabulary, isByteLevel: Bool = true) {
        self.vocabulary = vocabulary
        self.isByteLevel = isByteLevel
        byteTokens = (0...255).map { vocabulary.index.id(of: [$0]) ?? -1 }
    }

    /// Adds the merge that a line "left right" spells.
    /// - Returns: whether left, right and both together are tokens.
    mutating func addMerge(_ line: [UInt8], rank: Int, to table: inout MergeTable) -> Bool {
        // The byte-level alphabet has no space, and a leading one would belong to the left token.
        guard let separator = line.dropFirst().firstIndex(of: UInt8(ascii: " ")) else { return false }
        return addMerge(line, left: 0..<separator, right: separator + 1..<line.count, rank: rank, to: &table)
    }

    /// Adds the merge whose tokens are spelled in two parts of a text.
    mutating func addMerge(
        _ text: [UInt8],
        left: Range<Int>,
        right: Range<Int>,
        rank: Int,
        to table: inout MergeTable
    ) -> Bool {
        bytes.removeAll(keepingCapacity: true)
        guard decode(text, left, into: &bytes) else { return false }
        let middle = bytes.count
        guard decode(text, right, into: &bytes),
            let leftID = vocabulary.index.id(of: bytes.span, 0, middle),
            let rightID = vocabulary.index.id(of: bytes.span, middle, bytes.count - middle),
            let id = vocabulary.index.id(of: bytes.span, 0, bytes.count)
        else { return false }
        table.insert(leftID, rightID, Merge(rank: UInt32(clamping: rank), id: id))
        return true
    }

    private func decode(_ text: [UInt8], _ range: Range<Int>, into bytes: inout [UInt8]) -> Bool {
        if isByteLevel { return ByteAlphabet.decode(text.span, range, into: &bytes) }
        bytes += text[range]
        return true
    }
}
