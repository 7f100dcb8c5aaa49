/// Keeps steps short: from how long steps took, how many prompt rows the next may have.
///
/// Alone, prompts fill a step up to the longest it may last. Beside sequences that generate, a step lasts at most twice
/// what it would without the prompt: a long prompt then halves their speed while it runs, and never stalls them. Where
/// more prompts wait than sequences generate, their wait weighs more, in proportion.
///
/// Which rows share a step changes no bit of their results, so a plan may depend on a clock. Not thread-safe: the step
/// loop owns it.
package struct StepPacer {
    /// The longest a step may last, in seconds; nil for no limit.
    private let limit: Double?
    /// The seconds of a step whatever it computes, and what each row adds: moving averages.
    private var stepSeconds: Double?
    private var rowSeconds: Double?

    /// Creates a pacer that knows nothing yet.
    package init(limit: Duration?) { self.limit = limit.map { $0 / .seconds(1) } }

    /// Fewer rows hardly shorten a step: it reads the weights all the same.
    private static let fewestRows = 8
    /// Rows to learn the model's speed from.
    private static let firstRows = 32
    /// How much of the latest step goes into an average.
    private static let weight = 0.25
    /// Leaves some room below twice the time: the time of a step varies.
    private static let share = 0.8

    /// The most prompt rows of the next step, in which `singleCount` sequences generate a token and `promptCount` want
    /// rows of their prompts.
    package func promptRowLimit(singleCount: Int, promptCount: Int) -> Int {
        guard let limit else { return .max }
        guard let rowSeconds, rowSeconds > 0 else { return Self.firstRows }
        let singles = (stepSeconds ?? 0) + rowSeconds * Double(singleCount)
        let urgency = max(1, Double(promptCount) / Double(max(1, singleCount)))
        let available = singleCount > 0 ? min(limit - singles, singles * Self.share * urgency) : limit - singles
        return Int(min(1e6, max(Double(Self.fewestRows), available / rowSeconds)))
    }

    /// Learns from a step.
    package mutating func note(singleCount: Int, promptRowCount: Int, duration: Duration) {
        guard limit != nil else { return }
        let seconds = duration / .seconds(1)
        if promptRowCount == 0 {
            let rest = seconds - (rowSeconds ?? 0) * Double(singleCount)
            Self.add(max(rest, seconds / 10), to: &stepSeconds)
        } else {
            let rest = max(seconds - (stepSeconds ?? 0), seconds / 10)
            Self.add(rest / Double(singleCount + promptRowCount), to: &rowSeconds)
        }
    }

    private static func add(_ value: Double, to average: inout Double?) {
        average = average.map { $0 + (value - $0) * weight } ?? value
    }
}
