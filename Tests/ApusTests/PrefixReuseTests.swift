import ApusCore
import ApusEngine
import ApusModels
import ApusNN
import ApusTensor
import ApusTestSupport
import Testing

/// Keys and values that an earlier request has left give the bits that computing them anew would give.
@Suite struct PrefixReuseTests {
    private static func engine(_ model: SyntheticModel, _ kvType: KVType, cachesPrefixes: Bool) throws -> Engine {
        let compute = try Compute(threadCount: 2)
        let runner = try ModelRunner(
            model: model.source().load(quantization: .q4_0, compute: compute),
            sizes: ModelRunner.Sizes(kvPositionCount: 1024, contextLength: 512, maximumRowCount: 64, kvType: kvType),
            compute: compute
        )
        return try Engine(runner: runner, configuration: EngineConfiguration(cachesPrefixes: cachesPrefixes))
    }

    private struct Answer: Equatable {
        var tokens: [Int32] = []
        var logprobs: [TokenLogprobs?] = []
        var cachedTokenCount = 0

        init(_ engine: Engine, _ prompt: [Int32]) async throws {
            let request = GenerationRequest(
                prompt: prompt,
                sampling: SamplingParameters(seed: 3),
                maximumTokenCount: 60,
                ignoresEndOfGeneration: true,
                alternativeCount: 5
            )
            for try await event in try engine.submit(request) {
                switch event {
                case .started(let count): cachedTokenCount = count
                case .token(let token, let logprobs):
                    tokens.append(token)
                    self.logprobs.append(logprobs)
                case .finished: break
                }
            }
        }
    }

    /// Windows of the families that slide are shorter than the prompts.
    @Test(arguments: SyntheticModel.all, KVType.allCases)
    func aLaterTurnGivesTheBitsOfAColdRun(model: SyntheticModel, kvType: KVType) async throws {
        let warm = try Self.engine(model, kvType, cachesPrefixes: true)
        let first = SyntheticModel.tokens(150)
        let answer = try await Answer(warm, first)
        #expect(answer.cachedTokenCount == 0)
        let second = first + answer.tokens + SyntheticModel.tokens(20, seed: 2)
        let other = Array(first.prefix(100)) + SyntheticModel.tokens(90, seed: 3)
        // The last token of a prompt that is all there is computed.
        for (prompt, sharedCount) in [(second, 209), (other, 100), (first, 149)] {
            let found = try await Answer(warm, prompt)
            let cold = try await Answer(Self.engine(model, kvType, cachesPrefixes: false), prompt)
            #expect(found.cachedTokenCount == sharedCount - sharedCount % kvType.blockLength)
            #expect(cold.cachedTokenCount == 0)
            #expect(found.tokens == cold.tokens)
            #expect(found.logprobs == cold.logprobs)
        }
    }
}
