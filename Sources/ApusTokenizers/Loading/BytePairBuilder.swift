/// Turns spelled merges into ids.
struct BytePairBuilder {
    private let index: TokenIndex
    private let isByteLevel: Bool
    /// The token of each byte; negative where there is none.
    let byteTokens: [Int32]
    // What a merge spells, left and right.
    private var bytes: [UInt8] = []
    // What the merge before makes: the next one mostly makes the same or the token after it.
    private var latest: Int32 = 0

    /// - Parameter isByteLevel: whether merges are spelled in the alphabet of bytes.
    init(_ vocabulary: Vocabulary, isByteLevel: Bool = true) {
        let index = vocabulary.index
        self.index = index
        self.isByteLevel = isByteLevel
        byteTokens = (0...255).map { index.id(of: [$0]) ?? -1 }
    }

    /// Adds the merge that a line "left right" spells.
    /// - Returns: whether left, right and both together are tokens.
    mutating func addMerge(_ line: [UInt8], rank: Int, to table: inout MergeTable) -> Bool {
        // The byte-level alphabet has no space, and a leading one would belong to the left token.
        var separator = 1
        while separator < line.count, line[separator] != UInt8(ascii: " ") { separator += 1 }
        guard separator < line.count else { return false }
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
        guard decode(text, left) else { return false }
        let middle = bytes.count
        guard decode(text, right),
            let leftID = index.id(of: bytes.span, 0, middle),
            let rightID = index.id(of: bytes.span, middle, bytes.count - middle),
            let id = joined()
        else { return false }
        latest = id
        table.insert(leftID, rightID, Merge(rank: UInt32(clamping: rank), id: id))
        return true
    }

    /// The token that left and right make together.
    private func joined() -> Int32? {
        for guess in latest...latest + 1 where index.leads(to: guess, bytes.span, 0, bytes.count) { return guess }
        return index.id(of: bytes.span, 0, bytes.count)
    }

    private mutating func decode(_ text: [UInt8], _ range: Range<Int>) -> Bool {
        if isByteLevel { return ByteAlphabet.decode(text.span, range, into: &bytes) }
        bytes += text[range]
        return true
    }
}
