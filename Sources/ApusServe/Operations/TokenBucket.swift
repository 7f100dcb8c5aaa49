/// A rate as a bucket that fills steadily and holds a minute's worth.
///
/// A request is let in while anything is left, whatever it will take: its answer's length is not known before. So a
/// bucket may owe, and the next request waits until that is paid.
struct TokenBucket: Sendable {
    private var level: Double
    private var time: ContinuousClock.Instant

    init(tokensPerMinute: Int, now: ContinuousClock.Instant) {
        level = Double(tokensPerMinute)
        time = now
    }

    /// Adds what time has brought; the rate may have changed.
    mutating func refill(tokensPerMinute: Int, now: ContinuousClock.Instant) {
        let rate = Double(tokensPerMinute)
        level = min(rate, level + rate * (time.duration(to: now) / .seconds(60)))
        time = now
    }

    /// Takes what was used.
    mutating func take(_ count: Int) { level -= Double(count) }

    /// After how many seconds something is there again; nil where there is something now.
    func secondsUntilUsable(tokensPerMinute: Int) -> Int? {
        guard level < 1 else { return nil }
        let seconds = (1 - level) * 60 / Double(max(1, tokensPerMinute))
        return max(1, Int(min(seconds, 86_400).rounded(.up)))
    }
}
