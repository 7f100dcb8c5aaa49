/// Byte strings by id, and ids by byte string: packed bytes with offsets, and an open-addressing hash over them.
struct TokenIndex: Sendable {
    private var bytes: [UInt8] = []
    private var offsets: [Int] = [0]
    // Ids by hash, -1 for free; at most half full.
    private var slots: [Int32]
    private let hash = ByteHash()
    private(set) var longestByteCount = 0

    /// An empty index with room for so many strings.
    init(capacity: Int, byteCapacity: Int = 0) {
        var slotCount = 16
        while slotCount < capacity * 2 { slotCount *= 2 }
        slots = Array(repeating: -1, count: slotCount)
        offsets.reserveCapacity(capacity + 1)
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

    func byteCount(of id: Int) -> Int { offsets[id + 1] - offsets[id] }

    /// Adds a string under the next id, not yet found by its bytes.
    mutating func append(_ string: [UInt8]) {
        bytes.append(contentsOf: string)
        offsets.append(bytes.count)
        longestByteCount = max(longestByteCount, string.count)
    }

    /// Lets an id be found by its bytes.
    /// - Returns: nil, or the id that already owns those bytes and keeps them.
    mutating func makeFindable(_ id: Int32) -> Int32? {
        let range = range(Int(id))
        let slot = slot(of: bytes.span, range.lowerBound, range.count)
        if slots[slot] >= 0 { return slots[slot] }
        slots[slot] = id
        return nil
    }

    /// The id of a string; nil if there is none.
    @inline(__always)
    func id(of string: Span<UInt8>, _ start: Int, _ count: Int) -> Int32? {
        guard count <= longestByteCount else { return nil }
        let id = slots[slot(of: string, start, count)]
        return id >= 0 ? id : nil
    }

    func id(of string: [UInt8]) -> Int32? { id(of: string.span, 0, string.count) }

    /// The slot that holds a string, or the free one where it belongs.
    @inline(__always)
    private func slot(of string: Span<UInt8>, _ start: Int, _ count: Int) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash(string, start, count)) & mask
        while slots[slot] >= 0, !matches(Int(slots[slot]), string, start, count) { slot = (slot + 1) & mask }
        return slot
    }

    @inline(__always)
    private func matches(_ id: Int, _ string: Span<UInt8>, _ start: Int, _ count: Int) -> Bool {
        let range = range(id)
        guard range.count == count else { return false }
        for offset in 0..<count where bytes[range.lowerBound + offset] != string[start + offset] { return false }
        return true
    }
}
