/// The stacks of what follows the rules that are open, shared: equal stacks are one entry, and a push copies nothing.
struct ContinuationStacks {
    struct Entry {
        /// The node that matching goes on with.
        let node: Int32
        let rest: Int32
        let depth: Int32
    }

    /// The stack with nothing on it.
    static let empty: Int32 = 0

    private(set) var entries = [Entry(node: -1, rest: -1, depth: 0)]
    private var known: [UInt64: Int32] = [:]

    mutating func push(_ node: Int32, on stack: Int32) -> Int32 {
        let key = UInt64(UInt32(bitPattern: node)) << 32 | UInt64(UInt32(bitPattern: stack))
        if let entry = known[key] { return entry }
        let new = Int32(truncatingIfNeeded: entries.count)
        entries.append(Entry(node: node, rest: stack, depth: entries[Int(stack)].depth + 1))
        known[key] = new
        return new
    }

    subscript(stack: Int32) -> Entry { entries[Int(stack)] }
}

/// One reading of the text so far: the node that takes the next byte, and what follows its rule.
struct Configuration: Hashable, Comparable {
    let node: Int32
    let stack: Int32

    /// The reading in which the text is complete.
    static let complete = Configuration(node: -1, stack: ContinuationStacks.empty)

    static func < (left: Configuration, right: Configuration) -> Bool {
        (left.node, left.stack) < (right.node, right.stack)
    }
}
