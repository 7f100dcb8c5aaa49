import ApusCore
import ApusStore
import ArgumentParser

/// `apus pull`: brings a model into the store.
struct PullCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pull",
        abstract: "Bring a model into the store.",
        discussion: """
            Files found in the caches of the Hugging Face hub or Ollama are used without a copy. An interrupted \
            download goes on where it stopped.

            Examples:
              apus pull smollm2
              apus pull hf:bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M --name llama
              apus pull hf:HuggingFaceTB/SmolLM2-135M-Instruct@main
              apus pull ollama:llama3.2:1b
              apus pull ./model.gguf --name mine
            """
    )

    @Argument(help: "A catalogue name, hf:organisation/repository[@revision][:file], ollama:name[:tag], or a path.")
    var model: String

    @Option(help: "The name to give the model; by default made from its own.")
    var name: String?

    @Flag(help: "Pull again even if the model is there.")
    var force = false

    @Flag(help: "Never download: take files from caches on this machine only.")
    var offline = false

    @Flag(help: "Print the model's manifest as JSON.")
    var json = false

    func run() async throws {
        var configuration = try StoreConfiguration()
        configuration.isOffline = configuration.isOffline || offline
        let locator = try ModelLocator(configuration: configuration)
        let bar = ProgressBar()
        defer { bar.finish() }
        let manifest = try await Terminal.cancellingOnInterrupt { [model, name, force] in
            try await locator.pull(model, name: name, isForced: force, report: bar.show)
        }
        bar.finish()
        if json {
            try Terminal.write(ModelSummary(manifest).jsonText + "\n")
        } else {
            Terminal.write("\(manifest.name): \(ByteCount.text(manifest.byteCount)) from \(manifest.source)\n")
            Terminal.write("licence: \(manifest.licence ?? "not stated by the source")\n")
        }
    }
}
