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

    /// Half floats keep 11 bits of a key or value.
    @Test(arguments: ReferenceModel.names) func halfFloatKeysAndValuesStayNear(name: String) throws {
        let difference = try ReferenceModel(name).difference(storage: .blocks(.f16))
        #expect(difference <= 4e-3, "\(name): \(difference)")
    }

    /// A step of rounding is 1/127 of a group's largest weight at 8 bits, 1/15 of its range at 4; activations take 8 bits.
    @Test(arguments: ReferenceModel.names, [ElementType.q8_0, .q6K, .q4_1, .q4K])
    func weightsRoundedWhileLoadingStayNear(name: String, type: ElementType) throws {
        let difference = try ReferenceModel(name).difference(quantization: type)
        let bound: Float = type == .q8_0 || type == .q6K ? 0.03 : 0.3
        #expect(difference <= bound, "\(name) \(type): \(difference)")
        #expect(difference > Self.bound, "\(name) \(type) was not rounded")
    }
}
