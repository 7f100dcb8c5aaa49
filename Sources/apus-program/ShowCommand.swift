import Apus
import ApusCore
import ApusStore
import ArgumentParser

/// `apus show`: what a model is and what it will take.
struct ShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show a model's metadata, tensors, template, licence and memory plan.",
        discussion: """
            Examples:
              apus show smollm2
              apus show ./model.gguf --tensors
              apus show smollm2 --json
              apus show smollm2 --context 2048 --kv q8_0
            """
    )

    @OptionGroup var target: ModelArgument
    @Flag(help: "List every tensor.")
    var tensors = false
    @Flag(help: "Print the chat template.")
    var template = false
    @Flag(help: "Print one JSON object with everything.")
    var json = false
    @OptionGroup(title: "Model") var model: ModelOptionArguments

    func run() async throws {
        let options = model.options
        let resolved = try await target.resolve()
        let card = try ModelCard(resolved, options: options)
        if json {
            Terminal.write(card.jsonText + "\n")
        } else if template {
            guard let template = card.template else { throw ModelFile.missingTemplate }
            Terminal.write(template + "\n")
        } else {
            Terminal.write(card.text(listsTensors: tensors))
        }
    }
}
