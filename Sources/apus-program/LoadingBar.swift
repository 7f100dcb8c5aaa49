import Apus

/// Loads a model, saying how far it is on standard error where that is a terminal and it takes long enough to notice.
enum LoadingBar {
    static func load(_ path: String, options: ModelOptions) async throws -> Model {
        let isShown = Terminal.isErrorTerminal
        defer { if isShown { Terminal.note("\r\u{1B}[K") } }
        let start = ContinuousClock.now
        return try await Model.load(path, options: options) { share in
            guard isShown, start.duration(to: .now) > .milliseconds(300) else { return }
            Terminal.note("\r\u{1B}[Kloading \(Int(share * 100)) %")
        }
    }
}
