import ApusCore
import ApusEngine
import Testing

/// Collects a stream: its tokens, its log probabilities and its summary.
struct Collected {
    var tokens: [Int32] = []
    var logprobs: [TokenLogprobs] = []
    var cachedTokenCount: Int?
    var summary: GenerationSummary?

    init(_ events: Engine.Events) async throws {
        for try await event in events {
            switch event {
            case .started(let count): cachedTokenCount = count
            case .token(let token, let logprobs):
                tokens.append(token)
                if let logprobs { self.logprobs.append(logprobs) }
            case .finished(let summary): self.summary = summary
            }
        }
    }
}

@Suite struct EngineTests {
    @Test func greedyGenerationFollowsTheLargestLogits() async throws {
        let engine = try Engine(runner: StandInRunner())
        let request = GenerationRequest(prompt: prompt(1, length: 9), sampling: .greedy, maximumTokenCount: 20)
        let collected = try await Collected(engine.submit(request))
        #expect(collected.tokens == StandInRunner.greedy(request.prompt, count: 20))
        let summary = try #require(collected.summary)
        #expect(summary.reason == .length)
        #expect(summary.promptTokenCount == 9)
        #expect(summary.generatedTokenCount == 20)
        #expect(summary.timings.prefillTokenCount == 9)
        #expect(summary.timings.decodeTokenCount == 19)
        #expect(summary.timings.decode > .zero)
    }

    /// Allows the token after the last one, up to a highest one; then nothing.
    private struct Counting: TokenConstraint {
        var next: Int32
        let highest: Int32

        mutating func mask(_ logits: inout MutableSpan<Float>) throws {
            guard next <= highest else { throw ApusError(.unsupported, "grammar: it is over") }
            for index in logits.indices where index != Int(next) { logits[index] = -.infinity }
        }

        mutating func accept(_ token: Int32) { next = token + 1 }
    }

    @Test(arguments: [0, 1.5]) func aConstraintRulesEveryChoice(temperature: Float) async throws {
        let engine = try Engine(runner: StandInRunner())
        let request = GenerationRequest(
            prompt: prompt(1, length: 9),
            sampling: SamplingParameters(temperature: temperature, repetitionPenalty: 1.3, logitBias: [3: 100]),
            maximumTokenCount: 6,
            alternativeCount: 2,
            constraint: Counting(next: 10, highest: 49)
        )
        let (first, second) = (try engine.submit(request), try engine.submit(request))
        #expect(try await Collected(first).tokens == [10, 11, 12, 13, 14, 15])
        // The constraint is a value: the other answer had its own.
        #expect(try await Collected(second).tokens == [10, 11, 12, 13, 14, 15])
    }

    @Test func aConstraintThatFailsEndsItsAnswerAlone() async throws {
        let engine = try Engine(runner: StandInRunner())
        var request = GenerationRequest(prompt: prompt(1, length: 9), sampling: .greedy, maximumTokenCount: 6)
        let free = try engine.submit(request)
        request.constraint = Counting(next: 10, highest: 12)
        let bound = try engine.submit(request)
        let error = await #expect(throws: ApusError.self) { try await Collected(bound) }
        #expect(error?.message == "grammar: it is over")
        #expect(try await Collected(free).tokens == StandInRunner.greedy(request.prompt, count: 6))
    }

    @Test(arguments: [1, 2, 7, 32]) func sequencesTogetherEqualLoneRunsAtAnyChunkLength(chunk: Int) async throws {
        let configuration = EngineConfiguration(chunkLength: chunk, maximumSequenceCount: 5)
        let engine = try Engine(runner: StandInRunner(), configuration: configuration)
        let requests = (0..<8).map { number in
            GenerationRequest(
                prompt: prompt(number, length: 3 + number * 5),
                sampling: SamplingParameters(
                    temperature: number % 2 == 0 ? 0 : 1,
                    repetitionPenalty: 1.2,
                    presencePenalty: 0.5,
                    seed: UInt64(number)
                ),
                maximumTokenCount: 10 + number
            )
        }
        var lone: [[Int32]] = []
        for request in requests {
            let alone = try Engine(runner: StandInRunner())
            lone.append(try await Collected(alone.submit(request)).tokens)
        }
        let streams = try requests.map { try engine.submit($0) }
        for (stream, expected) in zip(streams, lone) {
            #expect(try await Collected(stream).tokens == expected)
        }
        #expect(lone.map(\.count) == (0..<8).map { 10 + $0 })
    }

    /// Two thirds of the prompts begin like another, the pool holds a fraction of them all, some are urgent: whatever is
    /// shared, preempted and computed again, everyone gets the tokens of a lone run.
    @Test(arguments: [true, false], [12, 30, 200]) func sharingAndPreemptionChangeNoToken(
        cachesPrefixes: Bool,
        blockCount: Int
    ) async throws {
        let runner = StandInRunner(blockCount: blockCount, contextLength: 46)
        let engine = try Engine(
            runner: runner,
            configuration: EngineConfiguration(
                chunkLength: 7,
                maximumSequenceCount: 9,
                cachesPrefixes: cachesPrefixes,
                maximumStepDuration: .milliseconds(1)
            )
        )
        let requests = (0..<60).map { number in
            GenerationRequest(
                prompt: prompt(number % 3, length: 3 + number % 4 * 5) + prompt(number % 5, length: number % 7 + 1),
                sampling: SamplingParameters(temperature: 1, repetitionPenalty: 1.1, seed: UInt64(number)),
                maximumTokenCount: 5 + number % 16,
                priority: number % 11 == 0 ? 1 : 0
            )
        }
        let streams = try requests.map { try engine.submit($0) }
        for (request, stream) in zip(requests, streams) {
            let alone = try Engine(runner: StandInRunner(), configuration: EngineConfiguration(cachesPrefixes: false))
            let lone = try await Collected(alone.submit(request)).tokens
            let collected = try await Collected(stream)
            #expect(collected.tokens == lone)
            // Only one that is preempted finds more when it starts anew.
            let found = try #require(collected.cachedTokenCount)
            #expect(try #require(collected.summary).cachedTokenCount >= found)
            #expect(cachesPrefixes || collected.cachedTokenCount == 0)
        }
        while engine.statistics.runningCount > 0 { await Task.yield() }
        let statistics = engine.statistics
        #expect(statistics.availableBlockCount == blockCount)
        #expect((statistics.cachedTokenCount > 0) == cachesPrefixes)
        #expect(statistics.preemptionCount > 0 || blockCount > 12)
        #expect(statistics.stepCount > 0 && statistics.computedRowCount > statistics.stepCount)
    }

    @Test func theSecondTurnComputesOnlyWhatIsNew() async throws {
        let engine = try Engine(runner: StandInRunner())
        let first = GenerationRequest(prompt: prompt(1, length: 30), sampling: .greedy, maximumTokenCount: 11)
        let answer = try await Collected(engine.submit(first)).tokens
        let second = GenerationRequest(
            prompt: first.prompt + answer + [1, 2, 3],
            sampling: .greedy,
            maximumTokenCount: 3
        )
        let collected = try await Collected(engine.submit(second))
        // Forty positions of prompt and answer were stored: the last token's never are.
        #expect(collected.cachedTokenCount == 40)
        #expect(collected.summary?.cachedTokenCount == 40)
        #expect(collected.summary?.timings.prefillTokenCount == 4)
        #expect(collected.tokens == StandInRunner.greedy(second.prompt, count: 3))
    }

    @Test func aRequestEndsWhenItsTimeIsUp() async throws {
        let engine = try Engine(runner: StandInRunner(blockCount: 3000, contextLength: 10_000))
        let request = GenerationRequest(prompt: [1], sampling: .greedy, timeLimit: .milliseconds(1))
        let collected = try await Collected(engine.submit(request))
        #expect(collected.summary?.reason == .deadline)
        #expect(collected.tokens.count < 9_999)
    }

    @Test func endTokensStopAndAreNotDelivered() async throws {
        let engine = try Engine(runner: StandInRunner())
        let ids = prompt(2, length: 5)
        let expected = StandInRunner.greedy(ids, count: 30)
        let end = expected[6]
        let first = try #require(expected.firstIndex(of: end))
        var request = GenerationRequest(
            prompt: ids,
            sampling: .greedy,
            maximumTokenCount: 30,
            endTokens: [end, 49_000]
        )
        let stopped = try await Collected(engine.submit(request))
        #expect(stopped.tokens == Array(expected[..<first]))
        #expect(stopped.summary?.reason == .stop)
        #expect(stopped.summary?.endToken == end)
        #expect(stopped.summary?.generatedTokenCount == first)

        request.ignoresEndOfGeneration = true
        let ignored = try await Collected(engine.submit(request))
        #expect(ignored.tokens == expected)
        #expect(ignored.summary?.reason == .length)
    }

    @Test func generationEndsWithTheContext() async throws {
        let engine = try Engine(runner: StandInRunner(contextLength: 16))
        let open = GenerationRequest(prompt: prompt(3, length: 10), sampling: .greedy)
        let collected = try await Collected(engine.submit(open))
        #expect(collected.tokens.count == 6)
        #expect(collected.summary?.reason == .length)
        let huge = GenerationRequest(prompt: prompt(3, length: 10), sampling: .greedy, maximumTokenCount: .max)
        #expect(try await Collected(engine.submit(huge)).tokens == collected.tokens)
    }

    @Test func aPromptThatDoesNotFitIsRefusedWithTheCounts() throws {
        let engine = try Engine(runner: StandInRunner(contextLength: 16))
        let error = #expect(throws: ApusError.self) {
            try engine.submit(GenerationRequest(prompt: prompt(1, length: 16)))
        }
        #expect(error?.code == .contextFull)
        #expect(error?.message.contains("the prompt has 16 tokens and the context 16") == true)
    }

    @Test func impossibleRequestsAreRefusedByName() throws {
        let engine = try Engine(runner: StandInRunner())
        let requests: [(GenerationRequest, String)] = [
            (GenerationRequest(prompt: []), "prompt: expected at least 1 token, found 0"),
            (GenerationRequest(prompt: [3, 50]), "prompt: expected token ids of 0 to 49, found 50"),
            (GenerationRequest(prompt: [-1]), "prompt: expected token ids of 0 to 49, found -1"),
            (GenerationRequest(prompt: [1], maximumTokenCount: 0), "maximumTokenCount: expected at least 1, found 0"),
            (GenerationRequest(prompt: [1], alternativeCount: 21), "alternativeCount: expected 0 to 20, found 21"),
            (
                GenerationRequest(prompt: [1], sampling: SamplingParameters(logitBias: [50: 1])),
                "logitBias: expected token ids of 0 to 49, found 50"
            ),
        ]
        for (request, message) in requests {
            let error = #expect(throws: ApusError.self) { try engine.submit(request) }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message == message)
        }
    }

    @Test func logitsThatAreNotNumbersEndOneRequestWithAnError() async throws {
        let runner = StandInRunner()
        runner.poison = 7
        let engine = try Engine(runner: runner)
        let good = GenerationRequest(prompt: [1, 2, 3], sampling: .greedy, maximumTokenCount: 4)
        let goodEvents = try engine.submit(good)
        let badEvents = try engine.submit(GenerationRequest(prompt: [5, 7], maximumTokenCount: 4))
        var reason: FinishReason?
        await #expect(throws: ApusError.self) {
            for try await event in badEvents {
                if case .finished(let summary) = event { reason = summary.reason }
            }
        }
        #expect(reason == .error)
        #expect(try await Collected(goodEvents).tokens.count == 4)
    }

    @Test func endingTheIterationFreesTheRequestsBlocks() async throws {
        // One request's blocks are all there are, so the second runs only once the first has given them back.
        let engine = try Engine(runner: StandInRunner(blockCount: 25, contextLength: 101))
        for try await _ in try engine.submit(GenerationRequest(prompt: [1], sampling: .greedy)) { break }
        let second = try await Collected(engine.submit(GenerationRequest(prompt: [2], sampling: .greedy)))
        #expect(second.tokens.count == 100)
    }

    @Test func anEngineThatGoesAwayEndsItsRequestsAsCancelled() async throws {
        var engine: Engine? = try Engine(runner: StandInRunner(blockCount: 3000, contextLength: 10_000))
        let events = try #require(try engine?.submit(GenerationRequest(prompt: [1], sampling: .greedy)))
        engine = nil
        let collected = try await Collected(events)
        #expect(collected.summary?.reason == .cancelled)
    }

    @Test func sizesOutsideTheirRangeAreRefused() {
        let error = #expect(throws: ApusError.self) {
            try Engine(runner: StandInRunner(), configuration: EngineConfiguration(chunkLength: 33))
        }
        #expect(error?.message == "chunkLength: expected 1 to 32, found 33")
    }
}
