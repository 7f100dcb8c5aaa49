import ApusServe
import Testing

/// A shelf that expectations can change.
private final class TestShelf {
    private var shelf: ModelShelf

    init(byteCounts: [Int], byteLimit: Int) { shelf = ModelShelf(byteCounts: byteCounts, byteLimit: byteLimit) }

    func use(_ slot: Int) -> Bool { shelf.use(slot) }
    func wait(_ waiter: Int, for slot: Int) { shelf.wait(waiter, for: slot) }
    func withdraw(_ waiter: Int) -> Bool { shelf.withdraw(waiter) }
    func giveBack(_ slot: Int, now: ContinuousClock.Instant) { shelf.giveBack(slot, now: now) }
    func finishLoading(_ slot: Int) { shelf.finishLoading(slot, now: .now) }
    func failLoading(_ slot: Int) -> [Int] { shelf.failLoading(slot) }
    func finishUnloading(_ slot: Int) { shelf.finishUnloading(slot) }
    func unload(_ slot: Int) -> ModelShelf.Action { shelf.unload(slot) }
    func advance() -> [ModelShelf.Action] { shelf.advance() }
    func phase(of slot: Int) -> ModelShelf.Phase { shelf.phase(of: slot) }
    func expiry(of slot: Int, after duration: Duration) -> ContinuousClock.Instant? {
        shelf.expiry(of: slot, after: duration)
    }
}

struct ModelShelfTests {
    /// A shelf with some models loaded, the first one used longest ago.
    private static func shelf(_ byteCounts: [Int], limit: Int, loaded: [Int]) -> TestShelf {
        let shelf = TestShelf(byteCounts: byteCounts, byteLimit: limit)
        for slot in loaded {
            shelf.wait(1000 + slot, for: slot)
            #expect(shelf.advance() == [.load(slot: slot)])
            shelf.finishLoading(slot)
            #expect(shelf.advance() == [.grant(waiter: 1000 + slot, slot: slot)])
            shelf.giveBack(slot, now: .now)
        }
        return shelf
    }

    @Test func concurrentFirstRequestsLoadOnce() {
        let shelf = TestShelf(byteCounts: [5], byteLimit: 10)
        shelf.wait(1, for: 0)
        shelf.wait(2, for: 0)
        #expect(shelf.advance() == [.load(slot: 0)])
        shelf.wait(3, for: 0)
        #expect(shelf.advance().isEmpty)
        shelf.finishLoading(0)
        #expect(
            shelf.advance() == [.grant(waiter: 1, slot: 0), .grant(waiter: 2, slot: 0), .grant(waiter: 3, slot: 0)]
        )
    }

    @Test func modelsThatFitStayBesideEachOther() {
        let shelf = Self.shelf([4, 6], limit: 10, loaded: [0, 1])
        #expect(shelf.use(0) && shelf.use(1))
    }

    @Test func theModelUsedLongestAgoMakesRoom() {
        let shelf = Self.shelf([4, 4, 4], limit: 10, loaded: [0, 1])
        shelf.wait(1, for: 2)
        #expect(shelf.advance() == [.unload(slot: 0)])
        #expect(shelf.advance().isEmpty && shelf.phase(of: 0) == .unloading)
        shelf.finishUnloading(0)
        #expect(shelf.advance() == [.load(slot: 2)])
        #expect(shelf.phase(of: 1) == .loaded)
    }

    @Test func severalMakeRoomForALargeOne() {
        let shelf = Self.shelf([4, 4, 9], limit: 10, loaded: [0, 1])
        shelf.wait(1, for: 2)
        #expect(shelf.advance() == [.unload(slot: 0), .unload(slot: 1)])
        shelf.finishUnloading(1)
        #expect(shelf.advance().isEmpty)
        shelf.finishUnloading(0)
        #expect(shelf.advance() == [.load(slot: 2)])
    }

    @Test func anIdleModelMakesRoomBeforeABusyOne() {
        let shelf = Self.shelf([4, 4, 4], limit: 10, loaded: [0, 1])
        #expect(shelf.use(0))
        shelf.wait(1, for: 2)
        #expect(shelf.advance() == [.unload(slot: 1)])
        #expect(shelf.use(0))
    }

    @Test func aBusyModelFinishesAndTakesNothingNewMeanwhile() {
        let shelf = Self.shelf([6, 6], limit: 10, loaded: [0])
        #expect(shelf.use(0))
        shelf.wait(1, for: 1)
        #expect(shelf.advance().isEmpty)
        #expect(!shelf.use(0))
        shelf.wait(2, for: 0)
        #expect(shelf.advance().isEmpty)
        shelf.giveBack(0, now: .now)
        #expect(shelf.advance() == [.unload(slot: 0)])
        shelf.finishUnloading(0)
        #expect(shelf.advance() == [.load(slot: 1)])
        shelf.finishLoading(1)
        // The one that waited for the first model has its turn next.
        #expect(shelf.advance() == [.grant(waiter: 1, slot: 1)])
        shelf.giveBack(1, now: .now)
        #expect(shelf.advance() == [.unload(slot: 1)])
        shelf.finishUnloading(1)
        #expect(shelf.advance() == [.load(slot: 0)])
    }

    @Test func aModelIsUsedAgainOnceNobodyWaitsForItsMemory() {
        let shelf = Self.shelf([6, 6], limit: 10, loaded: [0])
        #expect(shelf.use(0))
        shelf.wait(1, for: 1)
        #expect(shelf.advance().isEmpty && !shelf.use(0))
        #expect(shelf.withdraw(1) && !shelf.withdraw(1))
        #expect(shelf.advance().isEmpty && shelf.use(0))
    }

    @Test func nobodyTakesTheMemoryThatAnEarlierOneWaitsFor() {
        let shelf = Self.shelf([6, 9, 4], limit: 10, loaded: [0])
        #expect(shelf.use(0))
        shelf.wait(1, for: 1)
        shelf.wait(2, for: 2)
        #expect(shelf.advance().isEmpty)
        shelf.giveBack(0, now: .now)
        #expect(shelf.advance() == [.unload(slot: 0)])
    }

    @Test func aFailedLoadEndsAllThatWaitedAndTheNextTriesAgain() {
        let shelf = TestShelf(byteCounts: [5], byteLimit: 10)
        shelf.wait(1, for: 0)
        shelf.wait(2, for: 0)
        #expect(shelf.advance() == [.load(slot: 0)])
        #expect(shelf.failLoading(0) == [1, 2])
        #expect(shelf.advance().isEmpty)
        shelf.wait(3, for: 0)
        #expect(shelf.advance() == [.load(slot: 0)])
    }

    @Test func aModelThatNobodyWaitsForAnyMoreIsKept() {
        let shelf = TestShelf(byteCounts: [5], byteLimit: 10)
        shelf.wait(1, for: 0)
        #expect(shelf.advance() == [.load(slot: 0)])
        #expect(shelf.withdraw(1))
        shelf.finishLoading(0)
        #expect(shelf.advance().isEmpty && shelf.phase(of: 0) == .loaded)
    }

    @Test func onlyAnIdleModelExpires() {
        let shelf = Self.shelf([5], limit: 10, loaded: [0])
        let now = ContinuousClock.now
        #expect(shelf.use(0))
        #expect(shelf.expiry(of: 0, after: .seconds(5)) == nil)
        shelf.giveBack(0, now: now)
        #expect(shelf.expiry(of: 0, after: .seconds(5)) == now.advanced(by: .seconds(5)))
        #expect(shelf.unload(0) == .unload(slot: 0))
        #expect(shelf.expiry(of: 0, after: .seconds(5)) == nil && !shelf.use(0))
    }

    @Test(arguments: [
        ("0", Duration.zero), ("90", .seconds(90)), ("90s", .seconds(90)), ("5m", .seconds(300)),
        ("24h", .seconds(86_400)),
    ])
    func durationsAreRead(text: String, duration: Duration) {
        #expect(KeepAlive(text)?.duration == duration)
    }

    @Test(arguments: ["", "m", "-5m", "5 m", "5d", "1e9", "99999999999999999999h", "Forever"])
    func otherTextsAreNoDuration(text: String) {
        #expect(KeepAlive(text) == nil)
        #expect(KeepAlive("forever") == .forever)
    }
}
