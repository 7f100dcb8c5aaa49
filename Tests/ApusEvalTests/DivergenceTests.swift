import Apus
import ApusEval
import ApusTensor
import ApusTestSupport
import Testing

@Suite(.enabled(if: RealModel.smolLM2.isWanted)) struct DivergenceTests {
    private static let text = Array(
        String(repeating: "A spider sits in its web and waits for rain. Rivers carry stones to the sea. ", count: 30)
            .utf8
    )

    private func compare(_ kvType: KVType, worst: Int = 3) throws -> (DivergenceResult, Perplexity.Result) {
        let loaded = try LoadedModel(path: RealModel.smolLM2.path, options: ModelOptions(contextLength: 128))
        let side = Divergence.Side(loaded, kvType: kvType)
        let reference = Divergence.Side(loaded, kvType: .f16)
        var measure = try Divergence(side, reference: reference, text: Self.text, contextLength: 128)
        var perplexity = try Perplexity(loaded, text: Self.text, contextLength: 128, kvType: kvType)
        #expect(measure.chunkCount == perplexity.chunkCount && measure.chunkCount >= 3)
        var result = DivergenceResult(worstCount: worst)
        var expected = Perplexity.Result()
        for chunk in 0..<2 {
            measure.compare(chunk: chunk, into: &result)
            perplexity.score(chunk: chunk, into: &expected)
        }
        return (result, expected)
    }

    @Test func aModelIsAsFarFromItselfAsNothing() throws {
        let (result, perplexity) = try compare(.f16)
        #expect(result.tokenCount == 2 * 63)
        #expect(result.divergence.value == 0 && result.percentiles([0.5, 1]) == [0, 0])
        #expect(result.topOneAgreement.value == 1 && result.topFiveAgreement.value == 1)
        #expect(result.perplexity == perplexity.perplexity)
        #expect(abs(result.referencePerplexity - result.perplexity) < 1e-9)
    }

    @Test func anotherCacheIsALittleApart() throws {
        let (result, perplexity) = try compare(.q8_0)
        #expect(result.divergence.value > 0 && result.divergence.value < 0.02)
        #expect(result.topOneAgreement.value > 0.9 && result.topFiveAgreement.value > 0.9)
        #expect(result.perplexity == perplexity.perplexity && result.perplexity != result.referencePerplexity)
        let percentiles = result.percentiles([0, 0.5, 0.99, 1])
        #expect(percentiles == percentiles.sorted() && percentiles[1] < percentiles[3])
        #expect(result.worst.count == 3)
        #expect(result.worst.map(\.divergence) == result.worst.map(\.divergence).sorted(by: >))
        #expect(Float(result.worst[0].divergence) == Float(percentiles[3]))
    }

    @Test func modelsThatReadTextsDifferentlyAreNotCompared() throws {
        guard RealModel.gemma3.isWanted else { return }
        let options = ModelOptions(contextLength: 128)
        let one = try LoadedModel(path: RealModel.smolLM2.path, options: options)
        let other = try LoadedModel(path: RealModel.gemma3.path, options: options)
        let error = #expect(throws: ApusError.self) {
            try Divergence(
                Divergence.Side(one, kvType: .f16),
                reference: Divergence.Side(other, kvType: .f16),
                text: Self.text,
                contextLength: 128
            )
        }
        #expect(error?.message.contains("vocabulary") == true)
    }
}
