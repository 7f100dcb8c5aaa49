import ApusEngine
import Testing

@Suite struct BlockPoolTests {
    @Test func blocksComeInAscendingOrderAndTheLastFreedComesFirst() {
        var pool = BlockPool(blockCount: 3)
        #expect([pool.takeFree(), pool.takeFree(), pool.takeFree(), pool.takeFree()] == [0, 1, 2, nil])
        pool.release(1, keepsContents: false)
        pool.release(0, keepsContents: false)
        #expect(pool.availableCount == 2)
        #expect([pool.takeFree(), pool.takeFree(), pool.takeFree()] == [0, 1, nil])
    }

    @Test func idleBlocksGoInOrderOfUseAndOnlyWhenTakenAsSuch() {
        var pool = BlockPool(blockCount: 4)
        for _ in 0..<4 { _ = pool.takeFree() }
        for block: Int32 in [2, 0, 3] { pool.release(block, keepsContents: true) }
        #expect(pool.idleCount == 3)
        #expect(pool.takeFree() == nil)
        pool.retain(0)
        #expect(pool.idleCount == 2)
        pool.release(0, keepsContents: true)
        #expect([pool.takeIdle(), pool.takeIdle(), pool.takeIdle(), pool.takeIdle()] == [2, 3, 0, nil])
    }

    @Test func aBlockIsAvailableOnceItsLastHolderIsGone() {
        var pool = BlockPool(blockCount: 1)
        #expect(pool.takeFree() == 0)
        pool.retain(0)
        pool.release(0, keepsContents: true)
        #expect(pool.availableCount == 0)
        pool.release(0, keepsContents: true)
        #expect(pool.availableCount == 1)
        #expect(pool.takeIdle() == 0)
    }

    @Test func aPoolMayBeEmpty() {
        var pool = BlockPool(blockCount: 0)
        #expect(pool.takeFree() == nil)
        #expect(pool.takeIdle() == nil)
        #expect(pool.availableCount == 0)
    }
}
