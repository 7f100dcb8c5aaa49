/// Keeps steps short: from how long steps took, how many prompt rows the next may have.
///
/// Alone, prompts fill a step up to the longest it may last. Beside sequences that generate, one prompt may add half of what
/// these take to a step: a long one never stalls them. Each further prompt may add twice that: when many come at once, they
/// are through soon, in chunks large enough to be computed well.
///
/// Which rows share a step changes no bit of their results, so a plan may depend on a clock. Not thread-safe: the step
/// loop owns it.
package struct StepPacer {
    /// The longest a step may last, in seconds; nil for no limit.
    private let limit: Double?
    private var cost: StepCost?
    /// Steps since prompts had no part in one.
    private var mixedCount = 0

    /// Creates a pacer that knows nothing yet.
    package init(limit: Duration?) { self.limit = limit.map { $0 / .seconds(1) } }

    /// Rows to learn the model's speed from.
    private static let firstRows = 32
    /// What one prompt may add to a step, as a share of what the others take.
    ///
    /// Their contexts grow while it runs, and times vary: 95 of 100 steps stay near twice the time of those without it.
    /// Less would not help the others: a prompt's keys are read in each step, so that it would take more of them.
    private static let share = 0.5
    /// A step this much longer is accepted at any rate: weights that are read should serve more than one row.
    private static let leastShare = 0.2
    /// Every so many steps prompts have no part in one: what the others take, which grows with their contexts, would not
    /// be told from what prompts take.
    private static let period = 16

    /// The most prompt rows of the next step, in which `singleCount` sequences generate a token and `promptCount` want
    /// rows of their prompts.
    package func promptRowLimit(singleCount: Int, promptCount: Int) -> Int {
        guard let limit else { return .max }
        guard let cost else { return Self.firstRows }
        if singleCount > 0, mixedCount >= Self.period - 1 { return 0 }
        let rest = cost.seconds(.init(singleCount: singleCount, promptRowCount: 0))
        let fair = singleCount > 0 ? rest * Self.share * Double(2 * promptCount - 1) : .infinity
        let available = max(min(limit - rest, fair), rest * Self.leastShare)
        return Int(min(1e6, max(1, available / cost.coefficients.z)))
    }

    /// Learns from a step.
    package mutating func note(singleCount: Int, promptRowCount: Int, duration: Duration) {
        guard limit != nil else { return }
        let size = StepCost.Size(singleCount: singleCount, promptRowCount: promptRowCount)
        let seconds = max(1e-9, duration / .seconds(1))
        mixedCount = singleCount > 0 && promptRowCount > 0 ? mixedCount + 1 : 0
        guard cost != nil else { return cost = StepCost(size, seconds: seconds) }
        cost?.note(size, seconds: seconds)
    }
}
