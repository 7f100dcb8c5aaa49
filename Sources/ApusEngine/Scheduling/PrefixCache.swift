/// The KV blocks, and what full ones hold: a prompt that begins like an earlier one shares its blocks.
///
/// A full block is known by its tokens and by the block before it, so a hit means the same tokens from the start, compared
/// one by one: no hash is trusted. A block is shared only when it is full, and rows are only written after the full
/// ones, so no write ever meets a shared block and nothing needs copying. Blocks nobody holds stay until their memory is
/// wanted, least recently used first; a sequence gives its last block back first, so what goes is always the end of a
/// chain. Keys and values depend on nothing but the tokens before them (docs/numbers.md), so a hit changes no bit.
///
/// After the block sharing of "Efficient Memory Management for Large Language Model Serving with PagedAttention" (Kwon et
/// al., 2023, section 4.4). Nothing is allocated after `init`. Not thread-safe: the step loop owns it.
package struct PrefixCache {
    /// A place in a chain of full blocks, which nothing but the chain's past can lead to; the start is 0.
    package typealias Place = UInt64

    private struct Key: Hashable {
        let place: Place
        let tokensHash: Int
    }

    private let blockLength: Int
    private let isEnabled: Bool
    private var pool: BlockPool
    /// Full blocks by what they hold.
    private var index: [Key: Int32] = [:]
    /// Of each block that is in the index: its key, and the place after it.
    private var keys: [Key?]
    private var places: [Place]
    /// The tokens of each block that is in the index.
    private var contents: [Int32]
    private var lastPlace: Place = 0

    /// Creates a cache of free blocks.
    /// - Parameters:
    ///   - blockCount: blocks in the pool.
    ///   - blockLength: positions a block holds.
    ///   - isEnabled: whether contents are kept; without, it is a plain pool.
    package init(blockCount: Int, blockLength: Int, isEnabled: Bool) {
        self.blockLength = blockLength
        self.isEnabled = isEnabled
        pool = BlockPool(blockCount: blockCount)
        keys = Array(repeating: nil, count: blockCount)
        places = Array(repeating: 0, count: blockCount)
        contents = Array(repeating: 0, count: isEnabled ? blockCount * blockLength : 0)
        if isEnabled { index.reserveCapacity(2 * blockCount) }
    }

    /// Blocks in the pool.
    package var blockCount: Int { pool.blockCount }
    /// Blocks that no sequence holds.
    package var availableCount: Int { pool.availableCount }
    /// Blocks that no sequence holds, but whose keys and values are still there.
    package var idleCount: Int { pool.idleCount }

    /// Appends `count` blocks to `blocks`, or leaves everything as it is when there are not enough.
    /// - Returns: whether the blocks were there.
    package mutating func allocate(_ count: Int, into blocks: inout [Int32]) -> Bool {
        precondition(count >= 0)
        guard count <= pool.availableCount else { return false }
        for _ in 0..<count {
            if let block = pool.takeFree() {
                blocks.append(block)
            } else if let block = pool.takeIdle() {
                forget(block)
                blocks.append(block)
            }
        }
        return true
    }

    /// Gives all of `blocks` back, the last first, and empties the array, keeping its memory.
    package mutating func release(_ blocks: inout [Int32]) {
        for block in blocks.reversed() { release(block) }
        blocks.removeAll(keepingCapacity: true)
    }

    /// Adds a holder to a block that a sequence holds.
    package mutating func retain(_ block: Int32) { pool.retain(block) }

    /// Takes a holder from a block.
    package mutating func release(_ block: Int32) { pool.release(block, keepsContents: keys[Int(block)] != nil) }

    /// How many full blocks at the start of `tokens` are there; at least the last token is left to compute.
    package func matchCount(_ tokens: [Int32]) -> Int {
        var place: Place = 0
        var count = 0
        while let block = block(at: count, of: tokens, after: place) {
            place = places[Int(block)]
            count += 1
        }
        return count
    }

    /// Shares the full blocks at the start of `tokens`, as `matchCount` finds them.
    /// - Returns: the place after the last of them.
    package mutating func share(_ tokens: [Int32], into blocks: inout [Int32]) -> Place {
        precondition(blocks.isEmpty)
        var place: Place = 0
        while let block = block(at: blocks.count, of: tokens, after: place) {
            pool.retain(block)
            blocks.append(block)
            place = places[Int(block)]
        }
        return place
    }

    /// Makes a block that has become full known.
    ///
    /// If another sequence was quicker with the same tokens, its block takes the place of this one: their bits are equal.
    /// - Parameters:
    ///   - block: the block; replaced by the one to go on with.
    ///   - tokens: what it holds.
    ///   - place: the place before it.
    /// - Returns: the place after it.
    package mutating func add(_ block: inout Int32, holding tokens: ArraySlice<Int32>, after place: Place) -> Place {
        guard isEnabled else { return 0 }
        precondition(tokens.count == blockLength)
        let key = Key(place: place, tokensHash: Self.hash(tokens))
        if let known = index[key] {
            // Another text with the same hash stays unknown.
            guard holds(known, tokens) else { return newPlace() }
            pool.retain(known)
            pool.release(block, keepsContents: false)
            block = known
            return places[Int(known)]
        }
        index[key] = block
        keys[Int(block)] = key
        places[Int(block)] = newPlace()
        let start = Int(block) * blockLength
        for (offset, token) in tokens.enumerated() { contents[start + offset] = token }
        return lastPlace
    }

    private func block(at number: Int, of tokens: [Int32], after place: Place) -> Int32? {
        let end = (number + 1) * blockLength
        guard isEnabled, end < tokens.count else { return nil }
        let wanted = tokens[end - blockLength..<end]
        guard let block = index[Key(place: place, tokensHash: Self.hash(wanted))], holds(block, wanted) else {
            return nil
        }
        return block
    }

    private func holds(_ block: Int32, _ tokens: ArraySlice<Int32>) -> Bool {
        let start = Int(block) * blockLength
        return contents[start..<start + blockLength].elementsEqual(tokens)
    }

    private mutating func forget(_ block: Int32) {
        guard let key = keys[Int(block)] else { return }
        index[key] = nil
        keys[Int(block)] = nil
    }

    private mutating func newPlace() -> Place {
        lastPlace += 1
        return lastPlace
    }

    private static func hash(_ tokens: ArraySlice<Int32>) -> Int {
        var hasher = Hasher()
        for token in tokens { hasher.combine(token) }
        return hasher.finalize()
    }
}
