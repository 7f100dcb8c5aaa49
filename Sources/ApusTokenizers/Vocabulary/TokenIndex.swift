/// Byte strings by id, and ids by byte string: packed bytes with offsets, and an open-addressing hash over them.
struct TokenIndex: Sendable {
    private var bytes: [UInt8] = []
    private var offsets: [Int] = [0]
    // By hash: an id below, the upper half of its string's hash above; `empty` for free. At most three quarters full.
    private var slots: [UInt64]
    private var isFindable: [Bool] = []
    private let hash = ByteHash()
    private(set) var longestByteCount = 0

    private static let empty = UInt64.max

    /// An empty index with room for so many strings.
    init(capacity: Int, byteCapacity: Int = 0) {
        var slotCount = 16
        while slotCount / 4 * 3 < capacity { slotCount *= 2 }
        slots = Array(repeating: Self.empty, count: slotCount)
        offsets.reserveCapacity(capacity + 1)
        isFindable.reserveCapacity(capacity)
        bytes.reserveCapacity(byteCapacity)
    }

    var count: Int { offsets.count - 1 }

    /// Where a string lies in the packed bytes.
    @inline(__always)
    private func range(_ id: Int) -> Range<Int> { offsets[id]..<offsets[id + 1] }

    /// The bytes of a string; empty for an id that is not there.
    func bytes(of id: Int32) -> ArraySlice<UInt8> {
        guard id >= 0, id < count else { return [] }
        return bytes[range(Int(id))]
    }

    /// Whether text leads to an id.
    func isText(_ id: Int32) -> Bool { id >= 0 && id < count && isFindable[Int(id)] }

    func byteCount(of id: Int) -> Int { offsets[id + 1] - offsets[id] }

    /// For each byte, whether it stands before `mark` inside a string.
    func bytesPreceding(_ mark: [UInt8]) -> [Bool] {
        var precede = [Bool](repeating: false, count: 256)
        let (bytes, mark) = (bytes.span, mark.span)
        for id in 0..<count where byteCount(of: id) > mark.count {
            let range = range(id)
            for start in range.lowerBound + 1...range.upperBound - mark.count
            where bytes[start] == mark[0] && bytes.matches(start, mark, 0, count: mark.count) {
                precede[Int(bytes[start - 1])] = true
            }
        }
        return precede
    }

    /// Adds a string under the next id, not yet found by its bytes.
    mutating func append(_ string: [UInt8]) {
        bytes.append(contentsOf: string)
        offsets.append(bytes.count)
        isFindable.append(false)
        longestByteCount = max(longestByteCount, string.count)
    }

    /// Lets an id be found by its bytes.
    /// - Returns: nil, or the id that already owns those bytes and keeps them.
    mutating func makeFindable(_ id: Int32) -> Int32? {
        let range = range(Int(id))
        let code = hash(bytes.span, range.lowerBound, range.count)
        let slot = slot(of: bytes.span, range.lowerBound, range.count, code)
        if slots[slot] != Self.empty { return Self.id(slots[slot]) }
        isFindable[Int(id)] = true
        slots[slot] = (code & 0xFFFF_FFFF_0000_0000) | UInt64(UInt32(bitPattern: id))
        return nil
    }

    /// The id of a string; nil if there is none.
    @inline(__always)
    func id(of string: Span<UInt8>, _ start: Int, _ count: Int) -> Int32? {
        guard count <= longestByteCount else { return nil }
        let entry = slots[slot(of: string, start, count, hash(string, start, count))]
        return entry == Self.empty ? nil : Self.id(entry)
    }

    func id(of string: [UInt8]) -> Int32? { id(of: string.span, 0, string.count) }

    /// Whether these bytes lead to an id.
    @inline(__always)
    func leads(to id: Int32, _ string: Span<UInt8>, _ start: Int, _ count: Int) -> Bool {
        id < self.count && isFindable[Int(id)] && matches(id, string, start, count)
    }

    @inline(__always)
    private func matches(_ id: Int32, _ string: Span<UInt8>, _ start: Int, _ count: Int) -> Bool {
        let range = range(Int(id))
        return range.count == count && bytes.span.matches(range.lowerBound, string, start, count: count)
    }

    @inline(__always)
    private static func id(_ entry: UInt64) -> Int32 { Int32(truncatingIfNeeded: entry) }

    /// The slot that holds a string, or the free one where it belongs.
    @inline(__always)
    private func slot(of string: Span<UInt8>, _ start: Int, _ count: Int, _ code: UInt64) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: code) & mask
        while true {
            let entry = slots[slot]
            if entry == Self.empty { return slot }
            if (entry ^ code) >> 32 == 0, matches(Self.id(entry), string, start, count) { return slot }
            slot = (slot + 1) & mask
        }
    }
}
