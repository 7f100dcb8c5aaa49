import ApusStore
import ArgumentParser

/// The MODEL that most commands take, with what is needed to find it.
struct ModelArgument: ParsableArguments {
    @Argument(help: ArgumentHelp(ModelArgument.help))
    var model: String

    @Flag(help: ModelArgument.offlineHelp)
    var offline = false

    /// What `--offline` does to a model.
    static let offlineHelp: ArgumentHelp = "Never download: a model that is not on this machine is an error."

    /// What a model can be given as.
    static let help =
        "A name (apus list --all), a .gguf file, a folder with safetensors, or hf:organisation/repository."

    /// The model on this machine, pulled first if need be, with progress on standard error.
    func resolve() async throws -> ResolvedModel { try await Self.resolve(model, isOffline: offline) }

    /// The model that a text means; see `resolve()`.
    static func resolve(_ model: String, isOffline: Bool) async throws -> ResolvedModel {
        var configuration = try StoreConfiguration()
        configuration.isOffline = configuration.isOffline || isOffline
        let locator = try ModelLocator(configuration: configuration)
        if let local = try locator.localModel(model) { return local }
        let bar = ProgressBar()
        defer { bar.finish() }
        return try await Terminal.cancellingOnInterrupt {
            try await locator.model(model, report: bar.show)
        }
    }
}
