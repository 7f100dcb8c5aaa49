/// The mean of numbers seen one after the other, and how sure it is (Welford's method: nothing cancels).
package struct Mean: Sendable {
    package private(set) var count = 0
    /// The mean so far; NaN without numbers.
    package private(set) var value = Double.nan
    private var squares = 0.0

    /// No number seen.
    package init() {}

    /// The standard error of `value`, as if the numbers were independent; 0 for fewer than two.
    package var standardError: Double {
        count > 1 ? (squares / Double(count - 1) / Double(count)).squareRoot() : 0
    }

    /// Where the true mean is in 95 of 100 cases, by the normal distribution.
    package var interval: ClosedRange<Double> {
        guard value.isFinite, standardError.isFinite else { return -.infinity ... .infinity }
        return value - 1.96 * standardError...value + 1.96 * standardError
    }

    /// Takes a number.
    package mutating func add(_ number: Double) {
        count += 1
        let old = count == 1 ? 0 : value
        value = old + (number - old) / Double(count)
        squares += (number - old) * (number - value)
    }
}
