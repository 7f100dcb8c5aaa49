import ApusEngine
import Foundation
import Testing

@Suite struct ElementaryFunctionsTests {
    @Test func exponentialIsWithinTwoUnitsOfTheLastPlace() {
        for step in 0..<20_000 {
            let x = Float(step) * 0.0087 - 87
            let exact = Foundation.exp(Double(x))
            let found = exponential(x)
            #expect(abs(Double(found) - exact) <= 1.5 * Double(found.ulp), "\(x)")
        }
        #expect(exponential(0) == 1)
        #expect(exponential(-0.0) == 1)
        #expect(exponential(88.73) == .infinity)
        #expect(exponential(-87.34) == 0)
        #expect(exponential(-.infinity) == 0)
        #expect(exponential(.infinity) == .infinity)
        #expect(exponential(.nan).isNaN)
    }

    @Test func logarithmIsExactToFifteenDigits() {
        for x in [1, 2, 0.5, 1.4142, 1.4143, 1e-30, 3e30, 0.999_999, 1.000_001, .pi, 150_000, .leastNonzeroMagnitude] {
            let exact = Foundation.log(x)
            #expect(abs(naturalLogarithm(x) - exact) <= 1e-15 * max(1, abs(exact)), "\(x)")
        }
    }
}
