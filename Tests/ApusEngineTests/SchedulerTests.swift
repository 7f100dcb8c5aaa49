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
        blockCount: Int = 16
    ) throws {
        scheduler = Scheduler(
            limits: try SchedulerLimits(
                maximumRowCount: maximumRowCount,
                chunkLength: chunkLength,
                maximumSequenceCount: maximumSequenceCount,
                blockLength: blockLength,
                blockCount: blockCount,
                contextLength: 64
            )
        )
    }

    @discardableResult
    mutating func add(_ id: Int, prompt: Int, output: Int, endTokens: Set<Int32> = []) -> SequenceState {
        let sequence = SequenceState(
            id: id,
            prompt: (0..<Int32(prompt)).map { Int32(id) * 100 + $0 },
            tokenLimit: prompt + output,
            endTokens: endTokens,
            blockCount: scheduler.limits.blockCount(forPositions: prompt + output - 1)
        )
        scheduler.add(sequence)
        return sequence
    }

    /// Plans and commits a step; one line per slice: sequence, positions, logits rows, blocks.
    mutating func step() -> [String] {
        guard scheduler.plan(into: &plan) else { return [] }
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
        let sequence = harness.add(1, prompt: 10, output: 3)
        #expect(harness.step() == ["1: 0..<4 logits 0 blocks 0,1,2"])
        #expect(harness.step() == ["1: 4..<8 logits 0 blocks 0,1,2"])
        #expect(harness.step() == ["1: 8..<10 logits 1 blocks 0,1,2"])
        #expect(harness.step() == ["1: 10..<11 logits 1 blocks 0,1,2"])
        #expect(harness.step() == ["1: 11..<12 logits 1 blocks 0,1,2"])
        #expect(harness.step() == [])
        #expect(sequence.tokens.suffix(3) == [10, 11, 12])
        #expect(sequence.finishReason == .length)
        #expect(harness.scheduler.pool.freeCount == 16)
        #expect(harness.scheduler.isIdle)
    }

    @Test func singleTokensComeFirstAndPromptsShareTheChunkInOrderOfSubmission() throws {
        var harness = try SchedulerHarness(chunkLength: 6)
        harness.add(1, prompt: 2, output: 3)
        #expect(harness.step() == ["1: 0..<2 logits 1 blocks 0"])
        harness.add(2, prompt: 5, output: 2)
        harness.add(3, prompt: 7, output: 2)
        #expect(
            harness.step() == [
                "1: 2..<3 logits 1 blocks 0",
                "2: 0..<5 logits 1 blocks 1,2",
                "3: 0..<1 logits 0 blocks 3,4",
            ]
        )
        #expect(
            harness.step() == [
                "1: 3..<4 logits 1 blocks 0",
                "2: 5..<6 logits 1 blocks 1,2",
                "3: 1..<7 logits 1 blocks 3,4",
            ]
        )
        #expect(harness.step() == ["3: 7..<8 logits 1 blocks 3,4"])
        #expect(harness.scheduler.isIdle)
    }

    @Test func rowsOfAStepNeverExceedTheRunnersAndPromptsStillMove() throws {
        var harness = try SchedulerHarness(chunkLength: 4, maximumRowCount: 4)
        for id in 1...3 { harness.add(id, prompt: 1, output: 9) }
        harness.add(4, prompt: 4, output: 1)
        #expect(harness.step().count == 4)
        #expect(harness.step().last == "4: 1..<2 logits 0 blocks 9")
        #expect(harness.step().last == "4: 2..<3 logits 0 blocks 9")
        // The last prompt token is a single token behind, like the others.
        #expect(harness.step().last == "4: 3..<4 logits 1 blocks 9")
        #expect(harness.scheduler.running.map(\.id) == [1, 2, 3])
    }

    @Test func theHeadOfTheQueueWaitsForBlocksAndNobodyOvertakesIt() throws {
        var harness = try SchedulerHarness(blockCount: 4)
        harness.add(1, prompt: 7, output: 2)
        harness.add(2, prompt: 11, output: 2)
        harness.add(3, prompt: 1, output: 1)
        #expect(harness.step() == ["1: 0..<7 logits 1 blocks 0,1"])
        #expect(harness.scheduler.waiting.map(\.id) == [2, 3])
        #expect(harness.scheduler.pool.freeCount == 2)
        #expect(harness.step() == ["1: 7..<8 logits 1 blocks 0,1"])
        #expect(
            harness.step() == ["3: 0..<1 logits 1 blocks 3", "2: 0..<7 logits 0 blocks 0,1,2"]
        )
        #expect(harness.step() == ["2: 7..<11 logits 1 blocks 0,1,2"])
    }

    @Test func noMoreSequencesRunThanAllowed() throws {
        var harness = try SchedulerHarness(maximumSequenceCount: 2)
        for id in 1...3 { harness.add(id, prompt: 1, output: 1 + id) }
        #expect(harness.step().count == 2)
        #expect(harness.step() == ["1: 1..<2 logits 1 blocks 0", "2: 1..<2 logits 1 blocks 1"])
        #expect(harness.step() == ["2: 2..<3 logits 1 blocks 1", "3: 0..<1 logits 1 blocks 0"])
    }

    @Test func cancellingInTheMiddleOfAPromptFreesItsBlocksForTheNextStep() throws {
        var harness = try SchedulerHarness(chunkLength: 4, blockCount: 4)
        let first = harness.add(1, prompt: 12, output: 4)
        harness.add(2, prompt: 3, output: 1)
        harness.add(3, prompt: 3, output: 1)
        #expect(harness.step() == ["1: 0..<4 logits 0 blocks 0,1,2,3"])
        #expect(harness.scheduler.cancel(id: 3)?.finishReason == .cancelled)
        #expect(harness.scheduler.cancel(id: 1) === first)
        #expect(first.finishReason == .cancelled)
        #expect(first.computedCount == 4)
        #expect(harness.scheduler.pool.freeCount == 4)
        #expect(harness.step() == ["2: 0..<3 logits 1 blocks 0"])
        #expect(harness.scheduler.cancel(id: 1) == nil)
        #expect(harness.scheduler.isIdle)
    }

    @Test func anEndTokenEndsTheSequenceAndIsNotAmongItsTokens() throws {
        var harness = try SchedulerHarness()
        let sequence = harness.add(1, prompt: 3, output: 9, endTokens: [2, 5, 9])
        while !harness.step().isEmpty {}
        #expect(sequence.tokens == [100, 101, 102, 3, 4])
        #expect(sequence.endToken == 5)
        #expect(sequence.finishReason == .stop)
        #expect(harness.scheduler.pool.freeCount == 16)
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
        #expect(harness.scheduler.pool.freeCount == 15)
    }
}
