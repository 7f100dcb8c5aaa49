/// Which of the runner's KV blocks are in use, and by how many sequences.
///
/// A block is free, held by one sequence or more, or idle: held by none, but its keys and values may be wanted again.
/// Free blocks are handed out from the top of a stack, so memory that was used last is used next; idle ones come after
/// them, least recently used first. Not thread-safe: the step loop owns it.
package struct BlockPool {
    /// Blocks in the pool, free or not.
    package let blockCount: Int
    /// Blocks no sequence holds and whose contents nobody wants; the last one is handed out first.
    private var free: [Int32]
    /// How many sequences hold each block.
    private var holderCounts: [Int32]
    /// Idle blocks as a ring in order of use; the last element of both arrays is the ring's anchor.
    private var next: [Int32]
    private var previous: [Int32]
    /// Blocks that are idle.
    package private(set) var idleCount = 0

    /// Creates a pool in which blocks `0 ..< blockCount` are free and are handed out in ascending order.
    package init(blockCount: Int) {
        precondition(blockCount >= 0 && blockCount < Int(Int32.max))
        self.blockCount = blockCount
        free = (0..<Int32(blockCount)).reversed()
        holderCounts = Array(repeating: 0, count: blockCount)
        let ring = Array(0...Int32(blockCount))
        next = ring
        previous = ring
    }

    /// Blocks that no sequence holds.
    package var availableCount: Int { free.count + idleCount }

    /// Takes a free block for one holder; nil if there is none.
    package mutating func takeFree() -> Int32? {
        guard let block = free.popLast() else { return nil }
        holderCounts[Int(block)] = 1
        return block
    }

    /// Takes the idle block that has not been used for the longest time for one holder; nil if there is none.
    package mutating func takeIdle() -> Int32? {
        guard idleCount > 0 else { return nil }
        let block = next[blockCount]
        unlink(block)
        holderCounts[Int(block)] = 1
        return block
    }

    /// Adds a holder to a block that is held or idle.
    package mutating func retain(_ block: Int32) {
        if holderCounts[Int(block)] == 0 { unlink(block) }
        holderCounts[Int(block)] += 1
    }

    /// Takes a holder from a block.
    /// - Parameter keepsContents: whether the block becomes idle, rather than free, with its last holder gone.
    package mutating func release(_ block: Int32, keepsContents: Bool) {
        let index = Int(block)
        precondition(holderCounts[index] > 0, "block \(block) is given back but nobody holds it")
        holderCounts[index] -= 1
        guard holderCounts[index] == 0 else { return }
        guard keepsContents else { return free.append(block) }
        let last = previous[blockCount]
        next[Int(last)] = block
        previous[index] = last
        next[index] = Int32(blockCount)
        previous[blockCount] = block
        idleCount += 1
    }

    private mutating func unlink(_ block: Int32) {
        let index = Int(block)
        precondition(next[index] != block, "block \(block) is taken but is free")
        next[Int(previous[index])] = next[index]
        previous[Int(next[index])] = previous[index]
        next[index] = block
        previous[index] = block
        idleCount -= 1
    }
}
