import Apus

/// Loads a model, saying how far it is on standard error where that is a terminal and it takes long enough to notice.
enum LoadingBar {
    static func load(_ path: String, options: ModelOptions) async throws -> Model {
        defer { Terminal.showProgress() }
        return try await Model.load(path, options: options, progress: progress())
    }

    /// What draws the progress of a load that begins now.
    static func progress() -> @Sendable (Double) -> Void {
        let start = ContinuousClock.now
        return { share in
            guard start.duration(to: .now) > .milliseconds(300) else { return }
            Terminal.showProgress("loading \(Int(share * 100)) %")
        }
    }
}
