import ApusEngine
import Testing

@Suite struct BlockPoolTests {
    @Test func blocksComeInAscendingOrderAndTheLastFreedComesFirst() {
        var pool = BlockPool(blockCount: 6)
        var first: [Int32] = []
        var second: [Int32] = []
        #expect(pool.allocate(2, into: &first))
        #expect(pool.allocate(3, into: &second))
        #expect(first == [0, 1])
        #expect(second == [2, 3, 4])
        #expect(pool.freeCount == 1)
        pool.release(&first)
        #expect(first.isEmpty)
        #expect(pool.freeCount == 3)
        #expect(pool.allocate(3, into: &first))
        #expect(first == [0, 1, 5])
    }

    @Test func tooFewFreeBlocksIsAnAnswerThatChangesNothing() {
        var pool = BlockPool(blockCount: 2)
        var blocks: [Int32] = [7]
        #expect(!pool.allocate(3, into: &blocks))
        #expect(blocks == [7])
        #expect(pool.freeCount == 2)
        #expect(pool.allocate(0, into: &blocks))
        #expect(blocks == [7])
    }

    @Test func aPoolMayBeEmpty() {
        var pool = BlockPool(blockCount: 0)
        var blocks: [Int32] = []
        #expect(!pool.allocate(1, into: &blocks))
        #expect(pool.allocate(0, into: &blocks))
    }
}
