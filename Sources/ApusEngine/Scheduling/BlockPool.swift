/// The free list of KV blocks: which of the runner's blocks belong to nobody.
///
/// Blocks are handed out from the top of a stack, so memory that was used last is used next. Not thread-safe: the
/// step loop owns it.
package struct BlockPool {
    /// Blocks in the pool, free or not.
    package let blockCount: Int
    /// Free ids; the last one is handed out first.
    private var free: [Int32]
    /// Whether each block is handed out: giving one back twice would hand it to two sequences.
    private var isTaken: [Bool]

    /// Creates a pool in which blocks `0 ..< blockCount` are free and are handed out in ascending order.
    package init(blockCount: Int) {
        precondition(blockCount >= 0 && blockCount <= Int(Int32.max))
        self.blockCount = blockCount
        free = (0..<Int32(blockCount)).reversed()
        isTaken = Array(repeating: false, count: blockCount)
    }

    /// Blocks that can be allocated.
    package var freeCount: Int { free.count }

    /// Appends `count` blocks to `blocks`, or leaves everything as it is when there are not enough.
    /// - Returns: whether the blocks were there.
    package mutating func allocate(_ count: Int, into blocks: inout [Int32]) -> Bool {
        precondition(count >= 0)
        guard count <= free.count else { return false }
        for _ in 0..<count {
            let block = free.removeLast()
            isTaken[Int(block)] = true
            blocks.append(block)
        }
        return true
    }

    /// Gives all of `blocks` back and empties the array, keeping its memory.
    ///
    /// They go back last first, so the next sequence gets them in the same order.
    package mutating func release(_ blocks: inout [Int32]) {
        for block in blocks.reversed() {
            precondition(isTaken[Int(block)], "block \(block) is given back but is free")
            isTaken[Int(block)] = false
            free.append(block)
        }
        blocks.removeAll(keepingCapacity: true)
    }
}
