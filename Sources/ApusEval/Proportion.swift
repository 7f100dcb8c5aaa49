/// How many of some trials succeeded, and how sure that is.
package struct Proportion: Sendable, Equatable {
    package private(set) var successCount = 0
    package private(set) var trialCount = 0

    /// No trial yet.
    package init() {}

    /// Takes a trial.
    package mutating func add(_ isSuccess: Bool) {
        trialCount += 1
        if isSuccess { successCount += 1 }
    }

    /// The share of successes; NaN without trials.
    package var value: Double { Double(successCount) / Double(trialCount) }

    /// Where the true share is in 95 of 100 cases (Wilson, "Probable Inference, the Law of Succession, and Statistical
    /// Inference", 1927), which holds for few trials and for shares of 0 and 1 too.
    package var interval: ClosedRange<Double> {
        guard trialCount > 0 else { return 0...1 }
        let (count, squared) = (Double(trialCount), 1.96 * 1.96)
        let middle = (value + squared / (2 * count)) / (1 + squared / count)
        let spread = (value * (1 - value) / count + squared / (4 * count * count)).squareRoot() * 1.96
        let half = spread / (1 + squared / count)
        return max(0, middle - half)...min(1, middle + half)
    }
}
