import ApusEngine
import Testing

/// An archive that notes its orders; the test carries them out.
private final class OrderBook: BlockArchive {
    var stored: Set<BlockName> = []
    var saves: [SaveOrder] = []
    var restores: [RestoreOrder] = []
    var touched: [[BlockName]] = []
    var capacity = Int.max

    func mayRestore(_ name: BlockName) -> Bool { stored.contains(name) }
    func saving(of name: BlockName) -> SavingState {
        if stored.contains(name) || saves.contains(where: { $0.name == name }) { return .done }
        return saves.count < capacity ? .wanted : .full
    }
    func save(_ order: SaveOrder) { saves.append(order) }
    func restore(_ order: RestoreOrder) { restores.append(order) }
    func touch(_ names: [BlockName]) { touched.append(names) }
}

/// How the scheduler deals with an archive, step by step.
@Suite struct BlockArchiveTests {
    /// The names of a text's full blocks, as a first run would have stored them.
    private static func names(text: Int, count: Int) -> [BlockName] {
        var names: [BlockName] = []
        for number in 0..<count {
            let tokens = (0..<4).map { Int32(text * 100 + number * 4 + $0) }
            names.append(BlockName(of: tokens[...], after: names.last))
        }
        return names
    }

    @Test func fullBlocksAreSavedInOrderAndHeldUntilTheyAre() throws {
        let book = OrderBook()
        var harness = try SchedulerHarness(cachesPrefixes: true, archive: book)
        harness.add(1, prompt: 9, output: 1)
        _ = harness.step()
        #expect(book.saves.map(\.tokenCount) == [4, 8])
        #expect(book.saves.map(\.name) == Self.names(text: 1, count: 2))
        #expect(book.saves.map(\.block) == [0, 1])
        _ = harness.step()
        #expect(harness.scheduler.isIdle && harness.scheduler.awaitsArchive)
        #expect(harness.scheduler.cache.availableCount == 14)
        #expect(book.touched == [Self.names(text: 1, count: 2)])
        for order in book.saves { harness.scheduler.finishSaving(order.block) }
        #expect(harness.scheduler.cache.availableCount == 16)
        #expect(harness.scheduler.cache.idleCount == 2)
        #expect(!harness.scheduler.awaitsArchive)
    }

    @Test func whatTheArchiveHasNoTimeForComesAfterTheNextStep() throws {
        let book = OrderBook()
        book.capacity = 1
        var harness = try SchedulerHarness(cachesPrefixes: true, archive: book)
        harness.add(1, prompt: 9, output: 3)
        _ = harness.step()
        #expect(book.saves.map(\.tokenCount) == [4])
        book.capacity = 9
        _ = harness.step()
        #expect(book.saves.map(\.tokenCount) == [4, 8])
    }

    @Test func othersStepWhileBlocksAreRestored() throws {
        let book = OrderBook()
        book.stored = Set(Self.names(text: 1, count: 2))
        var harness = try SchedulerHarness(cachesPrefixes: true, archive: book)
        let sequence = harness.add(1, prompt: 10, output: 1)
        harness.add(2, prompt: 3, output: 1)
        #expect(harness.step() == ["2: 0..<3 logits 1 blocks 3"])
        #expect(book.restores.map(\.blocks) == [[0, 1]])
        #expect(book.restores[0].tokens == Array(100..<108) && book.restores[0].start == 0)
        #expect(harness.step() == [])
        #expect(!harness.scheduler.isIdle && harness.scheduler.awaitsArchive)
        harness.scheduler.finishRestoring(id: 1, count: 2)
        #expect(harness.step() == ["1: 8..<10 logits 1 blocks 0,1,2"])
        #expect(sequence.cachedCount == 8)
        #expect(harness.scheduler.restoredTokenCount == 8)
        #expect(book.saves.isEmpty)
    }

    @Test(arguments: [0, 1]) func whatCannotBeRestoredIsComputed(count: Int) throws {
        let book = OrderBook()
        book.stored = Set(Self.names(text: 1, count: 2))
        var harness = try SchedulerHarness(cachesPrefixes: true, archive: book)
        harness.add(1, prompt: 10, output: 1)
        #expect(harness.step() == [])
        harness.scheduler.finishRestoring(id: 1, count: count)
        let end = min(10, count * 4 + 8)
        #expect(harness.step() == ["1: \(count * 4)..<\(end) logits \(end == 10 ? 1 : 0) blocks 0,1,2"])
    }

    @Test func restoringGoesOnWhereTheMemoryEnds() throws {
        let book = OrderBook()
        var harness = try SchedulerHarness(cachesPrefixes: true, archive: book)
        harness.add(1, prompt: 5, output: 1)
        _ = harness.step()
        book.stored = Set(Self.names(text: 1, count: 3))
        harness.add(2, prompt: 14, output: 1, text: 1)
        #expect(harness.step() == [])
        #expect(book.restores.map(\.names) == [Array(Self.names(text: 1, count: 3)[1...])])
        #expect(book.restores[0].start == 4)
    }

    @Test func blocksOfACancelledSequenceStayOutOfReachUntilTheyAreFilled() throws {
        let book = OrderBook()
        book.stored = Set(Self.names(text: 1, count: 2))
        var harness = try SchedulerHarness(cachesPrefixes: true, archive: book)
        harness.add(1, prompt: 10, output: 1)
        _ = harness.step()
        #expect(harness.scheduler.end(id: 1, reason: .cancelled)?.finishReason == .cancelled)
        #expect(book.restores[0].isUnwanted.isSet)
        #expect(harness.scheduler.isIdle)
        #expect(harness.scheduler.cache.availableCount == 13)
        harness.scheduler.finishRestoring(id: 1, count: 1)
        // What was restored stays for others.
        #expect(harness.scheduler.cache.availableCount == 16)
        #expect(harness.scheduler.cache.idleCount == 1)
        #expect(harness.scheduler.cache.matchCount(Array(100..<110)) == 1)
    }

    @Test func aSecondRequestWaitsForTheFirstOnesBlocks() throws {
        let book = OrderBook()
        book.stored = Set(Self.names(text: 1, count: 2))
        var harness = try SchedulerHarness(cachesPrefixes: true, archive: book)
        harness.add(1, prompt: 10, output: 1)
        harness.add(2, prompt: 10, output: 1, text: 1)
        #expect(harness.step() == [])
        #expect(book.restores.count == 1)
        harness.scheduler.finishRestoring(id: 1, count: 2)
        #expect(harness.step() == ["1: 8..<10 logits 1 blocks 0,1,2", "2: 8..<10 logits 1 blocks 0,1,3"])
    }
}
