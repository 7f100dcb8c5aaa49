/// The merges of a byte-pair vocabulary: for two neighbouring tokens, how early they merge and what they become.
struct MergeTable: Sendable {
    // Pairs by hash, `empty` for free; at most half full.
    private var keys: [UInt64]
    private var values: [Merge]
    private let hash = ByteHash()
    private(set) var count = 0

    private static let empty = UInt64.max

    init(capacity: Int) {
        var slotCount = 16
        while slotCount < capacity * 2 { slotCount *= 2 }
        keys = Array(repeating: Self.empty, count: slotCount)
        values = Array(repeating: Merge(rank: 0, id: 0), count: slotCount)
    }

    /// Adds a merge; the first of equal pairs stays.
    ///
    /// The table must have been given room for it.
    mutating func insert(_ left: Int32, _ right: Int32, _ merge: Merge) {
        let slot = slot(of: Self.key(left, right))
        guard keys[slot] == Self.empty, count * 2 < keys.count else { return }
        keys[slot] = Self.key(left, right)
        values[slot] = merge
        count += 1
    }

    @inline(__always)
    func merge(_ left: Int32, _ right: Int32) -> Merge? {
        let slot = slot(of: Self.key(left, right))
        return keys[slot] == Self.empty ? nil : values[slot]
    }

    // Ids are never negative, so no key equals `empty`.
    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always)
    private func slot(of key: UInt64) -> Int {
        let mask = keys.count - 1
        var slot = Int(truncatingIfNeeded: hash(key)) & mask
        while keys[slot] != key, keys[slot] != Self.empty { slot = (slot + 1) & mask }
        return slot
    }
}

/// What a pair of neighbours becomes, and its turn: smaller ranks merge first.
struct Merge: Sendable {
    let rank: UInt32
    let id: Int32
}
