import Apus

/// Loads a model with a bar on standard error, where that is a terminal and loading takes long enough to be noticed.
enum LoadingBar {
    static func load(_ path: String, options: ModelOptions) async throws -> Model {
        let bar = ProgressBar()
        defer { bar.finish() }
        let start = ContinuousClock.now
        return try await Model.load(path, options: options) { share in
            guard start.duration(to: .now) > .milliseconds(300) else { return }
            bar.show("loading", share: share)
        }
    }
}
