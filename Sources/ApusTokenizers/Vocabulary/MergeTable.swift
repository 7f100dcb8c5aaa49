/// The merges of a byte-pair vocabulary: for two neighbouring tokens, how early they merge and what they become.
struct MergeTable: Sendable {
    // By hash of the pair; at most three quarters full.
    private var entries: [Entry]
    private let hash = ByteHash()
    private(set) var count = 0

    private struct Entry: Sendable {
        // `empty` for free.
        var key: UInt64
        var merge: Merge

        static let empty = UInt64.max
    }

    init(capacity: Int) {
        var slotCount = 16
        while slotCount / 4 * 3 < capacity { slotCount *= 2 }
        entries = Array(repeating: Entry(key: Entry.empty, merge: Merge(rank: 0, id: 0)), count: slotCount)
    }

    /// Adds a merge; the first of equal pairs stays.
    ///
    /// The table must have been given room for it.
    mutating func insert(_ left: Int32, _ right: Int32, _ merge: Merge) {
        let key = Self.key(left, right)
        let slot = slot(of: key)
        guard entries[slot].key == Entry.empty, count < entries.count / 4 * 3 else { return }
        entries[slot] = Entry(key: key, merge: merge)
        count += 1
    }

    /// All merges, the first to merge first.
    var ordered: [(left: Int32, right: Int32, merge: Merge)] {
        entries.filter { $0.key != Entry.empty }.sorted { $0.merge.rank < $1.merge.rank }.map { entry in
            let left = Int32(bitPattern: UInt32(truncatingIfNeeded: entry.key >> 32))
            return (left, Int32(bitPattern: UInt32(truncatingIfNeeded: entry.key)), entry.merge)
        }
    }

    @inline(__always)
    func merge(_ left: Int32, _ right: Int32) -> Merge? {
        let entry = entries[slot(of: Self.key(left, right))]
        return entry.key == Entry.empty ? nil : entry.merge
    }

    // Ids are never negative, so no key equals `empty`.
    @inline(__always)
    private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always)
    private func slot(of key: UInt64) -> Int {
        let mask = entries.count - 1
        var slot = Int(truncatingIfNeeded: hash(key)) & mask
        while entries[slot].key != key, entries[slot].key != Entry.empty { slot = (slot + 1) & mask }
        return slot
    }
}

/// What a pair of neighbours becomes, and its turn: smaller ranks merge first.
struct Merge: Sendable {
    let rank: UInt32
    let id: Int32
}
