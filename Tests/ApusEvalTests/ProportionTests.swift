import ApusEval
import Testing

struct ProportionTests {
    private func proportion(_ successes: Int, of trials: Int) -> Proportion {
        var proportion = Proportion()
        for trial in 0..<trials { proportion.add(trial < successes) }
        return proportion
    }

    /// Bounds as statsmodels' `proportion_confint(method="wilson")` gives them, to three digits.
    @Test(arguments: [(5, 10, 0.237, 0.763), (0, 10, 0, 0.278), (10, 10, 0.722, 1), (1, 164, 0.00108, 0.0338)])
    func intervalsAreWilsons(successes: Int, trials: Int, low: Double, high: Double) {
        let interval = proportion(successes, of: trials).interval
        #expect(abs(interval.lowerBound - low) < 6e-4 && abs(interval.upperBound - high) < 6e-4, "\(interval)")
    }

    @Test func nothingIsKnownWithoutTrials() {
        #expect(Proportion().interval == 0...1)
        #expect(Proportion().value.isNaN)
    }
}
