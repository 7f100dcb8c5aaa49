import ApusEngine
import ApusNN
import Testing

/// Drives a scheduler by hand: the token after a history is its length, so tokens show where they came from.
struct SchedulerHarness {
    var scheduler: Scheduler
    var plan = StepPlan(rowCapacity: 32, sliceCapacity: 8, blockCapacity: 32)

    init(
        chunkLength: Int = 8,
        maximumRowCount: Int = 8,
        maximumSequenceCount: Int = 4,
        blockLength: Int = 4,
        blockCount: Int = 16,
        cachesPrefixes: Bool = false,
        batching: Batching = .fused,
        archive: (any BlockArchive)? = nil
    ) throws {
        scheduler = Scheduler(
            limits: try SchedulerLimits(
                maximumRowCount: maximumRowCount,
                chunkLength: chunkLength,
                maximumSequenceCount: maximumSequenceCount,
                blockLength: blockLength,
                blockCount: blockCount,
                contextLength: 64,
                cachesPrefixes: cachesPrefixes,
                batching: batching
            ),
            archive: archive
        )
    }

    @discardableResult
    mutating func add(
        _ id: Int,
        prompt: Int,
        output: Int,
        text: Int? = nil,
        endTokens: Set<Int32> = [],
        priority: Int = 0,
        deadline: ContinuousClock.Instant? = nil
    ) -> SequenceState {
        let sequence = SequenceState(
            id: id,
            prompt: (0..<Int32(prompt)).map { Int32(text ?? id) * 100 + $0 },
            tokenLimit: prompt + output,
            endTokens: endTokens,
            blockCount: scheduler.limits.blockCount(forPositions: prompt + output),
            priority: priority,
            deadline: deadline
        )
        scheduler.add(sequence)
        return sequence
    }

    /// Plans and commits a step; one line per slice: sequence, positions, logits rows, blocks.
    mutating func step(promptRowLimit: Int = .max) -> [String] {
        guard scheduler.plan(into: &plan, promptRowLimit: { _, _ in promptRowLimit }) else { return [] }
        var lines: [String] = []
        var result = StepResult(capacity: 8)
        for (slice, sequence) in zip(plan.slices, scheduler.planned) {
            let end = slice.position + slice.rows.count
            #expect(Array(plan.tokens[slice.rows]) == Array(sequence.tokens[slice.position..<end]))
            let blocks = plan.blocks[slice.blocks].map(String.init).joined(separator: ",")
            lines.append("\(sequence.id): \(slice.position)..<\(end) logits \(slice.logitsCount) blocks \(blocks)")
            if slice.logitsCount == 1 { result.append(Int32(end)) }
        }
        scheduler.commit(plan, result)
        return lines
    }
}

@Suite struct SchedulerTests {
    @Test func aPromptIsComputedInChunksAndThenTokenByToken() throws {
        var harness = try SchedulerHarness(chunkLength: 4)
        let sequence = harness.add(1, prompt: 10, output: 4)
        #expect(harness.step() == ["1: 0..<4 logits 0 blocks 0,1,2"])
        #expect(harness.step() == ["1: 4..<8 logits 0 blocks 0,1,2"])
        #expect(harness.step() == ["1: 8..<10 logits 1 blocks 0,1,2"])
        #expect(harness.step() == ["1: 10..<11 logits 1 blocks 0,1,2"])
        #expect(harness.step() == ["1: 11..<12 logits 1 blocks 0,1,2"])
        #expect(harness.step() == ["1: 12..<13 logits 1 blocks 0,1,2,3"])
        #expect(harness.step() == [])
        #expect(sequence.tokens.suffix(4) == [10, 11, 12, 13])
        #expect(sequence.finishReason == .length)
        #expect(harness.scheduler.cache.availableCount == 16)
        #expect(harness.scheduler.isIdle)
    }

    @Test func singleTokensComeFirstThenPromptsHalfEvenlyAndHalfTheShortest() throws {
        var harness = try SchedulerHarness(chunkLength: 6)
        harness.add(1, prompt: 2, output: 3)
        #expect(harness.step() == ["1: 0..<2 logits 1 blocks 0"])
        harness.add(2, prompt: 9, output: 2)
        harness.add(3, prompt: 7, output: 2)
        // Three rows evenly, the older one first, and three for the shorter one.
        #expect(
            harness.step() == [
                "1: 2..<3 logits 1 blocks 0",
                "2: 0..<2 logits 0 blocks 1,2,3",
                "3: 0..<4 logits 0 blocks 4,5",
            ]
        )
        harness.add(4, prompt: 2, output: 2)
        #expect(
            harness.step() == [
                "1: 3..<4 logits 1 blocks 0",
                "2: 2..<3 logits 0 blocks 1,2,3",
                "3: 4..<7 logits 1 blocks 4,5",
                "4: 0..<2 logits 1 blocks 6",
            ]
        )
        #expect(
            harness.step() == [
                "3: 7..<8 logits 1 blocks 4,5",
                "4: 2..<3 logits 1 blocks 6",
                "2: 3..<9 logits 1 blocks 1,2,3",
            ]
        )
    }

    @Test func aShortPromptDoesNotWaitForALongOneWhichGoesOn() throws {
        var harness = try SchedulerHarness(chunkLength: 4, maximumRowCount: 8)
        harness.add(1, prompt: 40, output: 1)
        #expect(harness.step().count == 1)
        harness.add(2, prompt: 6, output: 1)
        let blocks = "0,1,2,3,4,5,6,7,8,9"
        #expect(harness.step() == ["1: 4..<5 logits 0 blocks \(blocks)", "2: 0..<3 logits 0 blocks 10,11"])
        #expect(harness.step() == ["1: 5..<6 logits 0 blocks \(blocks)", "2: 3..<6 logits 1 blocks 10,11"])
    }

    @Test func amongPromptsAHigherPriorityIsDoneFirst() throws {
        var harness = try SchedulerHarness(chunkLength: 8)
        harness.add(1, prompt: 6, output: 1)
        harness.add(2, prompt: 12, output: 1, priority: 1)
        #expect(harness.step() == ["2: 0..<6 logits 0 blocks 0,1,2", "1: 0..<2 logits 0 blocks 3,4"])
    }

    @Test func promptRowsAreLimitedButNeverToNothing() throws {
        var harness = try SchedulerHarness()
        harness.add(1, prompt: 8, output: 1)
        #expect(harness.step(promptRowLimit: 3) == ["1: 0..<3 logits 0 blocks 0,1"])
        #expect(harness.step(promptRowLimit: 0) == ["1: 3..<4 logits 0 blocks 0,1"])
    }

    @Test func besideSingleTokensPromptsMayHaveNoPartInAStep() throws {
        var harness = try SchedulerHarness()
        harness.add(1, prompt: 1, output: 4)
        #expect(harness.step().count == 1)
        harness.add(2, prompt: 8, output: 1)
        #expect(harness.step(promptRowLimit: 0) == ["1: 1..<2 logits 1 blocks 0"])
        #expect(harness.step() == ["1: 2..<3 logits 1 blocks 0", "2: 0..<7 logits 0 blocks 1,2"])
    }

    @Test func rowsOfAStepNeverExceedTheRunnersAndPromptsStillMove() throws {
        var harness = try SchedulerHarness(chunkLength: 4, maximumRowCount: 4)
        for id in 1...3 { harness.add(id, prompt: 1, output: 4) }
        harness.add(4, prompt: 4, output: 1)
        #expect(harness.step().count == 4)
        #expect(harness.step().last == "4: 1..<2 logits 0 blocks 3")
        #expect(harness.step().last == "4: 2..<3 logits 0 blocks 3")
        // The last prompt token is a single token behind, like the others.
        #expect(harness.step().last == "4: 3..<4 logits 1 blocks 3")
        #expect(harness.scheduler.isIdle)
    }

    @Test func oneThatWaitsForBlocksIsNotOvertaken() throws {
        var harness = try SchedulerHarness(blockCount: 4)
        harness.add(1, prompt: 7, output: 2)
        harness.add(2, prompt: 11, output: 2)
        harness.add(3, prompt: 1, output: 1)
        #expect(harness.step() == ["1: 0..<7 logits 1 blocks 0,1"])
        #expect(harness.scheduler.waiting.map(\.id) == [2, 3])
        #expect(harness.step() == ["1: 7..<8 logits 1 blocks 0,1"])
        #expect(harness.step() == ["2: 0..<8 logits 0 blocks 0,1,2"])
        #expect(harness.scheduler.waiting.map(\.id) == [3])
    }

    @Test func aHigherPriorityComesFirst() throws {
        var harness = try SchedulerHarness(maximumSequenceCount: 2)
        harness.add(1, prompt: 1, output: 3)
        harness.add(2, prompt: 1, output: 3)
        harness.add(3, prompt: 1, output: 1, priority: 1)
        #expect(harness.step() == ["3: 0..<1 logits 1 blocks 0", "1: 0..<1 logits 1 blocks 1"])
        harness.add(4, prompt: 1, output: 1, priority: 2)
        #expect(harness.step() == ["4: 0..<1 logits 1 blocks 0", "1: 1..<2 logits 1 blocks 1"])
    }

    @Test func noMoreSequencesRunThanAllowed() throws {
        var harness = try SchedulerHarness(maximumSequenceCount: 2)
        for id in 1...3 { harness.add(id, prompt: 1, output: 1 + id) }
        #expect(harness.step().count == 2)
        #expect(harness.step() == ["1: 1..<2 logits 1 blocks 0", "2: 1..<2 logits 1 blocks 1"])
        #expect(harness.step() == ["2: 2..<3 logits 1 blocks 1", "3: 0..<1 logits 1 blocks 0"])
    }

    @Test func withoutABlockTheLowestInRankIsComputedAgainLater() throws {
        var harness = try SchedulerHarness(blockCount: 5)
        let first = harness.add(1, prompt: 7, output: 6)
        let second = harness.add(2, prompt: 7, output: 6)
        #expect(harness.step() == ["1: 0..<6 logits 0 blocks 0,1", "2: 0..<2 logits 0 blocks 2,3"])
        #expect(harness.step() == ["1: 6..<7 logits 1 blocks 0,1", "2: 2..<7 logits 1 blocks 2,3"])
        #expect(harness.step() == ["1: 7..<8 logits 1 blocks 0,1", "2: 7..<8 logits 1 blocks 2,3"])
        // The fifth block goes to the first; the second has none to grow into.
        #expect(harness.step() == ["1: 8..<9 logits 1 blocks 0,1,4"])
        #expect(harness.scheduler.preemptionCount == 1)
        #expect(second.computedCount == 0 && second.tokens.count == 9)
        // Nine known tokens want three blocks.
        while first.finishReason == nil { #expect(harness.step().count == 1) }
        #expect(harness.step() == ["2: 0..<8 logits 0 blocks 0,1,4"])
        while second.finishReason == nil { #expect(harness.step().count == 1) }
        #expect(second.tokens.suffix(6) == [7, 8, 9, 10, 11, 12])
        #expect(harness.scheduler.cache.availableCount == 5)
    }

    @Test func aSequenceThatBeginsLikeAnEarlierOneSharesItsFullBlocks() throws {
        var harness = try SchedulerHarness(cachesPrefixes: true)
        harness.add(1, prompt: 8, output: 2)
        while !harness.step().isEmpty {}
        let second = harness.add(2, prompt: 8, output: 2, text: 1)
        // The last token is computed in any case: its logits are wanted.
        #expect(harness.step() == ["2: 4..<8 logits 1 blocks 0,2"])
        #expect(second.cachedCount == 4)
        while !harness.step().isEmpty {}
        harness.add(3, prompt: 9, output: 2, text: 1)
        #expect(harness.step() == ["3: 8..<9 logits 1 blocks 0,1,2"])
        #expect(harness.scheduler.cachedTokenCount == 12)
    }

    @Test func equalPromptsAtOnceAreComputedOnce() throws {
        var harness = try SchedulerHarness(chunkLength: 4, cachesPrefixes: true)
        harness.add(1, prompt: 10, output: 1)
        harness.add(2, prompt: 10, output: 1, text: 1)
        #expect(harness.step() == ["1: 0..<4 logits 0 blocks 0,1,2"])
        #expect(harness.step() == ["1: 4..<8 logits 0 blocks 0,1,2"])
        #expect(harness.step() == ["1: 8..<10 logits 1 blocks 0,1,2", "2: 8..<10 logits 1 blocks 0,1,3"])
        #expect(harness.scheduler.cache.availableCount == 16)
    }

    @Test func aStaticBatchTakesNobodyInUntilItHasEnded() throws {
        var harness = try SchedulerHarness(batching: .static)
        harness.add(1, prompt: 1, output: 3)
        harness.add(2, prompt: 1, output: 1)
        #expect(harness.step() == ["1: 0..<1 logits 1 blocks 0", "2: 0..<1 logits 1 blocks 1"])
        harness.add(3, prompt: 1, output: 1)
        #expect(harness.step() == ["1: 1..<2 logits 1 blocks 0"])
        #expect(harness.step() == ["1: 2..<3 logits 1 blocks 0"])
        #expect(harness.step() == ["3: 0..<1 logits 1 blocks 0"])
    }

    @Test func sequentialRunsOneAfterTheOther() throws {
        var harness = try SchedulerHarness(batching: .sequential)
        for id in 1...2 { harness.add(id, prompt: 1, output: 2) }
        #expect(harness.step() == ["1: 0..<1 logits 1 blocks 0"])
        #expect(harness.step() == ["1: 1..<2 logits 1 blocks 0"])
        #expect(harness.step() == ["2: 0..<1 logits 1 blocks 0"])
    }

    @Test func cancellingInTheMiddleOfAPromptFreesItsBlocksForTheNextStep() throws {
        var harness = try SchedulerHarness(chunkLength: 4, blockCount: 4)
        let first = harness.add(1, prompt: 15, output: 1)
        harness.add(2, prompt: 3, output: 1)
        harness.add(3, prompt: 3, output: 1)
        #expect(harness.step() == ["1: 0..<4 logits 0 blocks 0,1,2,3"])
        #expect(harness.scheduler.end(id: 3, reason: .cancelled)?.finishReason == .cancelled)
        #expect(harness.scheduler.end(id: 1, reason: .cancelled) === first)
        #expect(first.finishReason == .cancelled)
        #expect(first.computedCount == 4)
        #expect(harness.scheduler.cache.availableCount == 4)
        #expect(harness.step() == ["2: 0..<3 logits 1 blocks 0"])
        #expect(harness.scheduler.end(id: 1, reason: .cancelled) == nil)
        #expect(harness.scheduler.isIdle)
    }

    @Test func whoseTimeIsUpIsFoundWaitingOrRunning() throws {
        var harness = try SchedulerHarness(maximumSequenceCount: 1)
        let now = ContinuousClock.now
        let running = harness.add(1, prompt: 1, output: 9, deadline: now + .seconds(2))
        let waiting = harness.add(2, prompt: 1, output: 9, deadline: now + .seconds(1))
        #expect(harness.step().count == 1)
        #expect(harness.scheduler.overdue(at: now) == nil)
        #expect(harness.scheduler.overdue(at: now + .seconds(1)) === waiting)
        _ = harness.scheduler.end(id: 2, reason: .deadline)
        #expect(harness.scheduler.overdue(at: now + .seconds(3)) === running)
    }

    @Test func anEndTokenEndsTheSequenceAndIsNotAmongItsTokens() throws {
        var harness = try SchedulerHarness()
        let sequence = harness.add(1, prompt: 3, output: 9, endTokens: [2, 5, 9])
        while !harness.step().isEmpty {}
        #expect(sequence.tokens == [100, 101, 102, 3, 4])
        #expect(sequence.endToken == 5)
        #expect(sequence.finishReason == .stop)
        #expect(harness.scheduler.cache.availableCount == 16)
    }

    @Test func aRowWithoutATokenEndsItsSequenceAlone() throws {
        var harness = try SchedulerHarness()
        let first = harness.add(1, prompt: 1, output: 2)
        let second = harness.add(2, prompt: 1, output: 2)
        let hasWork = harness.scheduler.plan(into: &harness.plan)
        #expect(hasWork)
        var result = StepResult(capacity: 2)
        result.append(nil)
        result.append(6)
        harness.scheduler.commit(harness.plan, result)
        #expect(first.finishReason == .error)
        #expect(second.finishReason == nil)
        #expect(harness.scheduler.running.map(\.id) == [2])
        #expect(harness.scheduler.cache.availableCount == 15)
    }
}
