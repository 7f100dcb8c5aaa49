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
}
