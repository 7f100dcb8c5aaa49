/// Draws on a terminal how far a file is that is being written.
final class WorkBar {
    private let name: String
    private let total: Int
    private let startedAt = ContinuousClock.now
    private var startByteCount: Int?
    private var drawnAt: ContinuousClock.Instant?

    init(name: String, total: Int) {
        self.name = name
        self.total = total
    }

    /// Shows how many bytes there are.
    func show(_ byteCount: Int) {
        let first = startByteCount ?? byteCount
        startByteCount = first
        let now = ContinuousClock.now
        if let drawnAt, now - drawnAt < .milliseconds(100) { return }
        drawnAt = now
        let seconds = startedAt.duration(to: now) / .seconds(1)
        let rate = seconds > 0.2 ? Double(byteCount - first) / seconds : 0
        Terminal.showProgress(
            ProgressBar.text(name, byteCount, total, rate: rate, columnCount: Terminal.columnCount)
        )
    }

    /// Clears the line.
    func finish() { Terminal.showProgress() }
}
