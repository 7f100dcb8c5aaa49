import ApusEngine
import Testing

@Suite struct LogprobTests {
    @Test func logprobsAreThoseOfTheRawLogits() throws {
        for fixture in try SamplingFixture.load() {
            var recorder = LogprobRecorder(alternativeCount: 5, vocabularySize: fixture.logits.count)
            var candidates = Candidates(vocabularySize: fixture.logits.count)
            recorder.read(fixture.logits.span, candidates: &candidates)
            recorder.record(11)
            let recorded = recorder.recorded
            #expect(abs(recorded.logprob - fixture.logprobs[11]) < 2e-6)
            let order = fixture.logprobs.indices.sorted { fixture.logprobs[$0] > fixture.logprobs[$1] }
            #expect(recorded.alternatives.map(\.token) == order.prefix(5).map(Int32.init))
            for entry in recorded.alternatives {
                #expect(abs(entry.logprob - fixture.logprobs[Int(entry.token)]) < 2e-6)
            }
        }
    }

    @Test func theEngineDeliversThemForEachTokenWhatTheSamplerDoes() async throws {
        let engine = try Engine(runner: StandInRunner())
        let sampling = SamplingParameters(repetitionPenalty: 1.5, logitBias: [4: 3], seed: 5)
        let request = GenerationRequest(
            prompt: [1, 2],
            sampling: sampling,
            maximumTokenCount: 6,
            alternativeCount: 50 - 30
        )
        let collected = try await Collected(engine.submit(request))
        #expect(collected.logprobs.count == 6)
        var history = request.prompt
        for (token, logprobs) in zip(collected.tokens, collected.logprobs) {
            let row = StandInRunner.logits(history, 50)
            let order = row.indices.sorted { row[$0] > row[$1] }
            #expect(logprobs.alternatives.map(\.token) == order.prefix(20).map(Int32.init))
            let difference = row[Int(token)] - row[order[0]]
            #expect(abs(logprobs.logprob - logprobs.alternatives[0].logprob - difference) < 1e-5)
            history.append(token)
        }

        var plain = request
        plain.alternativeCount = nil
        #expect(try await Collected(engine.submit(plain)).tokens == collected.tokens)
    }
}
