import ApusCore
import ApusEval
import ApusFormats
import ApusTestSupport
import Testing

/// Rows of logits compared by scipy: tools/fixtures/divergence.py.
struct PredictionComparisonTests {
    private static func cases() throws -> [JSONValue] {
        Array(try JSONValue(parsing: MappedFile(path: Fixture.path("eval/divergence.json")).bytes).elements())
    }

    @Test func divergenceAndTopFiveAreThoseOfSciPy() throws {
        let cases = try Self.cases()
        #expect(cases.count == 8)
        for test in cases {
            func floats(_ key: String) throws -> [Float] {
                try test.member(key).elements().map { Float(try $0.double()) }
            }
            func number(_ key: String) throws -> Double { try test.member(key).double() }
            let (model, reference) = (try floats("model"), try floats("reference"))
            let found = PredictionComparison(
                model.span,
                reference: reference.span,
                next: try test.member("next").integer()
            )
            #expect(try abs(found.divergence - number("kl")) <= 1e-9 * max(1, number("kl")))
            #expect(try abs(found.logLikelihood - number("log_likelihood")) < 1e-9)
            #expect(try abs(found.referenceLogLikelihood - number("reference_log_likelihood")) < 1e-9)
            #expect(try found.top == test.member("top").elements().map { try $0.integer() })
            #expect(try found.referenceTop == test.member("reference_top").elements().map { try $0.integer() })
        }
    }

    @Test func whatTheReferenceRulesOutCountsForNothing() {
        let reference: [Float] = [1, 1, -.infinity, 0, 0]
        let model: [Float] = [1, 1, 3, 0, 0]
        let found = PredictionComparison(model.span, reference: reference.span, next: 0)
        // The model's other probabilities shrink by one factor, which is what the divergence is the logarithm of.
        #expect(found.divergence.isFinite && found.divergence > 0)
        #expect(abs(found.divergence - (found.referenceLogLikelihood - found.logLikelihood)) < 1e-12)
        let impossible = PredictionComparison(reference.span, reference: model.span, next: 0)
        #expect(impossible.divergence == .infinity)
    }
}
