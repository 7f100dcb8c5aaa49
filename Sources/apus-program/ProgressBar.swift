import ApusCore
import ApusStore
import Synchronization

/// Draws how far a pull is: a bar on a terminal, a line per event elsewhere.
final class ProgressBar: Sendable {
    private struct State {
        var file = ""
        var startedAt: ContinuousClock.Instant?
        var startByteCount = 0
        var drawnAt: ContinuousClock.Instant?
        var isDrawn = false
    }

    private let isTerminal = Terminal.isErrorTerminal
    private let state = Mutex(State())

    /// Shows what happened; any thread may call.
    func show(_ event: PullEvent) {
        state.withLock { state in
            switch event {
            case .received(let file, let byteCount, let total): draw(file, byteCount, total, &state)
            case .checking(let file): if isTerminal { replaceLine("checking \(file)", &state) }
            case .waiting(let file): line("another apus is pulling \(file); waiting for it", &state)
            case .adopted(let file, let path): line("\(file): found in \(path), no download needed", &state)
            case .retrying(let file, let reason): line("\(file): \(reason); trying again", &state)
            }
        }
    }

    /// Clears the bar.
    func finish() {
        state.withLock { clear(&$0) }
    }

    private func draw(_ file: String, _ byteCount: Int, _ total: Int?, _ state: inout State) {
        let now = ContinuousClock.now
        if state.file != file {
            state.file = file
            state.startedAt = now
            state.startByteCount = byteCount
            state.drawnAt = nil
            if !isTerminal { line("pulling \(file)" + (total.map { " (\(ByteCount.text($0)))" } ?? ""), &state) }
        }
        if let drawnAt = state.drawnAt, now - drawnAt < .milliseconds(100), byteCount != total { return }
        state.drawnAt = now
        guard isTerminal, let startedAt = state.startedAt else { return }
        let seconds =
            Double((now - startedAt).components.seconds) + Double((now - startedAt).components.attoseconds) / 1e18
        let rate = seconds > 0.2 ? Double(byteCount - state.startByteCount) / seconds : 0
        replaceLine(Self.text(file, byteCount, total, rate: rate, columnCount: Terminal.columnCount), &state)
    }

    /// One line of at most `columnCount` columns: name, bar, share, bytes, rate and what is left.
    static func text(_ file: String, _ byteCount: Int, _ total: Int?, rate: Double, columnCount: Int) -> String {
        var tail = ByteCount.text(byteCount)
        var bar = ""
        if let total, total > 0 {
            let share = min(1, max(0, Double(byteCount) / Double(total)))
            let percent = String(Int(share * 100))
            tail =
                "\(String(repeating: " ", count: 3 - percent.count))\(percent) %  \(tail) of \(ByteCount.text(total))"
            let width = min(30, columnCount - 70)
            let filled = Int(share * Double(max(0, width)))
            if width >= 8 {
                bar = "  " + String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
            }
        }
        if rate > 0 {
            tail += "  \(ByteCount.text(Int(rate)))/s"
            if let total, total > byteCount { tail += "  \(duration(Double(total - byteCount) / rate)) left" }
        }
        let room = max(8, columnCount - tail.count - bar.count - 5)
        let name = file.count <= room ? file : "\(file.prefix(room - 1))…"
        return String("\(name)\(bar)  \(tail)".prefix(max(1, columnCount - 1)))
    }

    private static func duration(_ seconds: Double) -> String {
        let whole = Int(min(seconds.rounded(.up), 359_999))
        if whole < 60 { return "\(whole) s" }
        return whole < 3600 ? "\(whole / 60) min \(whole % 60) s" : "\(whole / 3600) h \(whole % 3600 / 60) min"
    }

    private func line(_ text: String, _ state: inout State) {
        clear(&state)
        Terminal.note("\(text)\n")
    }

    private func replaceLine(_ text: String, _ state: inout State) {
        Terminal.showProgress(text)
        state.isDrawn = true
    }

    private func clear(_ state: inout State) {
        if state.isDrawn { Terminal.showProgress() }
        state.isDrawn = false
    }
}
