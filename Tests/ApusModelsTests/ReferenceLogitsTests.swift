import ApusCore
import ApusModels
import ApusNN
import ApusTensor
import ApusTestSupport
import Testing

/// Logits against transformers in float32: at most 1e-4 relative, by the largest difference and the largest magnitude of
/// each row.
@Suite struct ReferenceLogitsTests {
    static let bound: Float = 1e-4

    @Test(arguments: ReferenceModel.names) func logitsEqualThoseOfTransformers(name: String) throws {
        let difference = try ReferenceModel(name).difference()
        #expect(difference <= Self.bound, "\(name): \(difference)")
    }

    @Test(arguments: ReferenceModel.ggufNames) func logitsOfGGUFFilesEqualThoseOfTransformers(name: String) throws {
        let difference = try ReferenceModel(name, .gguf).difference()
        #expect(difference <= Self.bound, "\(name): \(difference)")
    }

    @Test(arguments: ReferenceModel.Form.allCases)
    func aTextBeyondTheOriginalContextTakesTheLongFactorsFromItsStart(form: ReferenceModel.Form) throws {
        let model = try ReferenceModel("phi3-longrope", form, record: "logits-long")
        #expect(model.source.configuration.contextLength == 256)
        #expect(try model.difference() <= Self.bound)
        let short = try model.difference(Edit(configuration: { $0.contextLength = 64 }))
        #expect(short > 10 * Self.bound)
    }

    /// What the converter puts into a GGUF file for a scaling, and what goes missing without it.
    @Test(arguments: [("llama3-rope", "rope_freqs.weight"), ("phi3-longrope", "rope_factors_short.weight")])
    func aGGUFFilesFactorsCount(name: String, tensor: String) throws {
        let hidden = [tensor, "rope_factors_long.weight"]
        let difference = try ReferenceModel(name, .gguf).difference(Edit(hiddenTensors: hidden.contains))
        #expect(difference > 10 * Self.bound)
    }

    @Test func aListOfFactorsNeedsTheOther() throws {
        let error = #expect(throws: ApusError.self) {
            try ReferenceModel("phi3-longrope", .gguf).difference(
                Edit(hiddenTensors: { $0 == "rope_factors_short.weight" })
            )
        }
        #expect(error?.message.hasSuffix("model.gguf: tensor rope_factors_short.weight is missing") == true)
    }

    /// Half floats keep 11 bits of a key or value; what that makes of random weights was 0.005 at most.
    @Test(arguments: ReferenceModel.names) func halfFloatKeysAndValuesStayNear(name: String) throws {
        let difference = try ReferenceModel(name).difference(storage: .blocks(.f16))
        #expect(difference <= 6e-3, "\(name): \(difference)")
    }

    /// The bound is set from what was measured, 0.214 at most.
    ///
    /// Random weights amplify rounding, so it only catches weights that are plainly wrong. At 4 bits these models are too far off (0.4 to 1.2) to tell.
    @Test(arguments: ReferenceModel.names, [ElementType.q8_0, .q6K])
    func weightsRoundedWhileLoadingStayNear(name: String, type: ElementType) throws {
        let difference = try ReferenceModel(name).difference(quantization: type)
        #expect(difference <= 0.25, "\(name) \(type): \(difference)")
        #expect(difference > Self.bound, "\(name) \(type) was not rounded")
    }
}
