import Apus
import ApusNN
import ApusTestSupport
import Testing

/// LongRoPE's factors are chosen when the model is loaded, by the longest context it will see.
@Suite struct LongRotaryTests {
    /// The embedding of a model of 128 positions, first trained for 32, whose short factors are 2 and long ones 8.
    private static func loaded(contextLength: Int?) throws -> (rotary: RotaryEmbedding, contextLength: Int) {
        var file = TinyModelFile("phi3")
        file["phi3.rope.scaling.original_context_length"] = .uint32(32)
        for (name, factor) in [("short", 2), ("long", 8)] as [(String, Float)] {
            let bytes = (0..<8).flatMap { _ in
                (0..<4).map { UInt8(truncatingIfNeeded: factor.bitPattern >> (8 * $0)) }
            }
            file.tensors.append(.init(name: "rope_factors_\(name).weight", type: 0, shape: [8], bytes: bytes))
        }
        let folder = try TemporaryFolder()
        let path = try folder.write(file.bytes, to: "model.gguf")
        let model = try LoadedModel(path: path, options: ModelOptions(threadCount: 1, contextLength: contextLength))
        return (try #require(model.model.shape.rotary.first), model.plan.contextLength)
    }

    @Test(arguments: [2, 31, 32]) func contextsUpToTheOriginalTakeTheShortFactors(length: Int) throws {
        let (rotary, contextLength) = try Self.loaded(contextLength: length)
        #expect(rotary.inverseFrequencies.first == 0.5)
        #expect(contextLength == length)
    }

    @Test(arguments: [33, 128, nil]) func longerContextsTakeTheLongFactors(length: Int?) throws {
        let (rotary, contextLength) = try Self.loaded(contextLength: length)
        #expect(rotary.inverseFrequencies.first == 0.125)
        #expect(contextLength == length ?? 128)
    }
}
