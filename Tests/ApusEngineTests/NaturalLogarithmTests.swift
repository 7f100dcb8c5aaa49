import ApusEngine
import Foundation
import Testing

@Suite struct NaturalLogarithmTests {
    @Test func logarithmIsExactToFifteenDigits() {
        for x in [1, 2, 0.5, 1.4142, 1.4143, 1e-30, 3e30, 0.999_999, 1.000_001, .pi, 150_000, .leastNonzeroMagnitude] {
            let exact = Foundation.log(x)
            #expect(abs(naturalLogarithm(x) - exact) <= 1e-15 * max(1, abs(exact)), "\(x)")
        }
    }
}
