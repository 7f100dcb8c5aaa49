import ApusEngine
import ApusTestSupport
import Testing

@Suite struct PrefixCacheTests {
    /// Allocates blocks for whole blocks of tokens, makes them known, and gives them back.
    private static func remember(_ tokens: [Int32], in cache: inout PrefixCache) -> [Int32] {
        var blocks: [Int32] = []
        var place = cache.share(tokens, into: &blocks)
        for number in blocks.count..<tokens.count / 2 {
            let wasAllocated = cache.allocate(1, into: &blocks)
            #expect(wasAllocated)
            place = cache.add(&blocks[number], holding: tokens[number * 2..<number * 2 + 2], after: place)
        }
        let used = blocks
        cache.release(&blocks)
        return used
    }

    @Test func theLongestKnownStartIsSharedButNeverTheLastToken() {
        var cache = PrefixCache(blockCount: 8, blockLength: 2, isEnabled: true)
        #expect(Self.remember([1, 2, 3, 4, 5, 6], in: &cache) == [0, 1, 2])
        #expect(cache.matchCount([1, 2, 3, 4, 5, 6, 7]) == 3)
        #expect(cache.matchCount([1, 2, 3, 4, 5, 6]) == 2)
        #expect(cache.matchCount([1, 2, 9, 4, 5, 6, 7]) == 1)
        #expect(cache.matchCount([9, 2, 3, 4]) == 0)
        // The same tokens after another start are other keys and values.
        #expect(cache.matchCount([3, 4, 5]) == 0)
        var blocks: [Int32] = []
        _ = cache.share([1, 2, 3, 4, 8], into: &blocks)
        #expect(blocks == [0, 1])
        #expect(cache.idleCount == 1)
        #expect(cache.availableCount == 6)
    }

    @Test func memoryIsTakenFromTheEndOfTheOldestChain() {
        var cache = PrefixCache(blockCount: 4, blockLength: 2, isEnabled: true)
        _ = Self.remember([1, 2, 3, 4], in: &cache)
        _ = Self.remember([5, 6, 7, 8], in: &cache)
        var blocks: [Int32] = []
        #expect(cache.matchCount([1, 2, 3, 4, 0]) == 2)
        let one = cache.allocate(1, into: &blocks)
        #expect(one)
        #expect(cache.matchCount([1, 2, 3, 4, 0]) == 1)
        let two = cache.allocate(1, into: &blocks)
        #expect(two)
        #expect(cache.matchCount([1, 2, 3, 4, 0]) == 0)
        #expect(cache.matchCount([5, 6, 7, 8, 0]) == 2)
        let tooMany = cache.allocate(3, into: &blocks)
        #expect(!tooMany && blocks.count == 2)
        #expect(cache.matchCount([5, 6, 7, 8, 0]) == 2)
    }

    @Test func twoThatComputedTheSameGoOnWithOneBlock() {
        var cache = PrefixCache(blockCount: 4, blockLength: 2, isEnabled: true)
        var first: [Int32] = []
        var second: [Int32] = []
        _ = cache.allocate(1, into: &first)
        _ = cache.allocate(1, into: &second)
        let place = cache.add(&first[0], holding: [1, 2], after: 0)
        #expect(cache.add(&second[0], holding: [1, 2], after: 0) == place)
        #expect(first == second)
        #expect(cache.availableCount == 3)
        cache.release(&first)
        #expect(cache.availableCount == 3)
        cache.release(&second)
        #expect(cache.availableCount == 4)
        #expect(cache.idleCount == 1)
    }

    @Test func aCacheThatIsOffIsAPlainPool() {
        var cache = PrefixCache(blockCount: 4, blockLength: 2, isEnabled: false)
        #expect(Self.remember([1, 2, 3, 4], in: &cache) == [0, 1])
        #expect(cache.matchCount([1, 2, 3, 4, 5]) == 0)
        #expect(cache.idleCount == 0)
        #expect(cache.availableCount == 4)
    }

    /// Against a dictionary of all chains there ever were: what is shared was computed, block by block, and is unharmed.
    @Test(arguments: 0..<20) func sharedBlocksHoldWhatTheirTokensSay(seed: UInt64) {
        var cache = PrefixCache(blockCount: 12, blockLength: 2, isEnabled: true)
        var random = SmallRandom(seed: seed)
        // What is written in each block: the tokens from the start of the text to the block's end.
        var written: [Int32: [Int32]] = [:]
        var held: [[Int32]] = []
        for _ in 0..<300 {
            if held.count > 2 || (Bool.random(using: &random) && !held.isEmpty) {
                var blocks = held.remove(at: Int.random(in: held.indices, using: &random))
                cache.release(&blocks)
                continue
            }
            let tokens = (0..<Int.random(in: 1...9, using: &random)).map { _ in Int32.random(in: 0...1, using: &random)
            }
            var blocks: [Int32] = []
            let expected = cache.matchCount(tokens)
            var place = cache.share(tokens, into: &blocks)
            #expect(blocks.count == expected)
            for (number, block) in blocks.enumerated() {
                #expect(written[block] == Array(tokens[..<(number * 2 + 2)]))
            }
            guard cache.allocate(tokens.count / 2 - blocks.count, into: &blocks) else {
                cache.release(&blocks)
                continue
            }
            for number in expected..<tokens.count / 2 {
                written[blocks[number]] = Array(tokens[..<(number * 2 + 2)])
                place = cache.add(&blocks[number], holding: tokens[number * 2..<number * 2 + 2], after: place)
                #expect(written[blocks[number]] == Array(tokens[..<(number * 2 + 2)]))
            }
            held.append(blocks)
        }
        for index in held.indices { cache.release(&held[index]) }
        #expect(cache.availableCount == 12)
    }
}
