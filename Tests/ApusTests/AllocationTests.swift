import ApusCore
import ApusEngine
import ApusModels
import ApusNN
import ApusTensor
import ApusTestSupport
import CAllocationCounter
import Testing

/// From `Scheduler.plan` to `commit` a decode step allocates nothing, counted by our own malloc.
@Suite(.enabled(if: apus_allocation_counter_works() == 1)) struct AllocationTests {
    /// A loop over a tiny model with requests whose prompts are computed.
    private static func loop(
        _ sampling: SamplingParameters,
        _ model: SyntheticModel,
        threads: Int,
        kvType: KVType,
        requestCount: Int
    ) throws -> (StepLoop, [Engine.Events]) {
        let compute = try Compute(threadCount: threads)
        let runner = try ModelRunner(
            model: model.source().load(quantization: .q4_0, compute: compute),
            sizes: ModelRunner.Sizes(kvPositionCount: 1024, contextLength: 256, maximumRowCount: 64, kvType: kvType),
            compute: compute
        )
        let loop = try StepLoop(runner: runner, limits: EngineConfiguration().limits(for: runner))
        var streams: [Engine.Events] = []
        for id in 0..<requestCount {
            let (events, continuation) = Engine.Events.makeStream()
            let request = GenerationRequest(
                prompt: SyntheticModel.tokens(50 + id, seed: UInt64(id)),
                sampling: sampling,
                maximumTokenCount: 150,
                ignoresEndOfGeneration: true
            )
            loop.add(SubmittedRequest(id: id, request: request, stream: continuation))
            streams.append(events)
        }
        // Prompts, and a step in which everything is used once.
        for _ in 0..<6 { loop.step() }
        return (loop, streams)
    }

    /// Allocations between plan and commit in steps that cross block boundaries.
    private static func allocations(of loop: StepLoop) -> [Int64] {
        (0..<40).map { _ in
            let before = apus_allocation_count()
            let planned = loop.planStep()
            loop.computeStep()
            loop.commitStep()
            let count = apus_allocation_count() - before
            loop.deliver()
            return planned ? count : -1
        }
    }

    static let samplings: [SamplingParameters] = [
        .greedy,
        SamplingParameters(seed: 1),
        SamplingParameters(
            topK: 0,
            typicalP: 0.9,
            repetitionPenalty: 1.1,
            frequencyPenalty: 0.1,
            presencePenalty: 0.1,
            logitBias: [3: -1],
            seed: 1
        ),
    ]

    @Test(arguments: samplings, [1, 2]) func decodeStepsAllocateNothing(
        sampling: SamplingParameters,
        threads: Int
    ) throws {
        for kvType in KVType.allCases {
            for requestCount in [1, 3] {
                let (loop, streams) = try Self.loop(
                    sampling,
                    SyntheticModel.all[0],
                    threads: threads,
                    kvType: kvType,
                    requestCount: requestCount
                )
                let counts = Self.allocations(of: loop)
                #expect(counts.allSatisfy { $0 == 0 }, "\(kvType), \(requestCount) requests: \(counts)")
                withExtendedLifetime(streams) {}
            }
        }
    }

    @Test(arguments: SyntheticModel.all) func noFamilyAllocatesInADecodeStep(model: SyntheticModel) throws {
        let (loop, streams) = try Self.loop(.greedy, model, threads: 2, kvType: .f16, requestCount: 2)
        let counts = Self.allocations(of: loop)
        #expect(counts.allSatisfy { $0 == 0 }, "\(counts)")
        withExtendedLifetime(streams) {}
    }

    /// The control: what allocates is counted.
    @Test func anAllocationIsCounted() {
        let before = apus_allocation_count()
        let numbers = (0..<Int.random(in: 100...200)).map { $0 }
        let count = apus_allocation_count() - before
        #expect(count >= 1)
        #expect(numbers.count >= 100)
    }

    /// The control inside a step: delivering allocates, so a step that did its deliveries before `commit` would show.
    @Test func aStepThatAllocatesTripsTheCount() throws {
        let (loop, streams) = try Self.loop(
            .greedy,
            SyntheticModel.all[0],
            threads: 1,
            kvType: .f16,
            requestCount: 1
        )
        let before = apus_allocation_count()
        for _ in 0..<40 { loop.step() }
        #expect(apus_allocation_count() > before)
        withExtendedLifetime(streams) {}
    }
}
