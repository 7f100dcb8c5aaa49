import Apus
import ApusCore
import ApusStore
import ArgumentParser

/// `apus chat`: a conversation in the terminal.
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talk with a model.",
        discussion: """
            Each line is a message; a line that ends with \\ goes on in the next, and \"\"\" opens and closes a message of \
            several lines. Control-C breaks an answer off, Control-D ends the conversation. Commands:
              /help           this list
              /clear          forget the conversation
              /system TEXT    set the system prompt and start anew
              /regenerate     answer the last message again
              /save FILE      write the conversation as JSON messages
              /bye            leave

            Examples:
              apus chat smollm2
              apus chat smollm2 --system "You answer in one sentence." --temperature 0
            """
    )

    @OptionGroup var target: ModelArgument
    @Option(help: "The most tokens of an answer (default: up to the end of the context).")
    var maxTokens: Int?
    @Option(help: "The system prompt.")
    var system: String?
    @Option(help: "A text that ends an answer; may be given several times.")
    var stop: [String] = []
    @OptionGroup(title: "Form of the answer") var form: GrammarArguments
    @OptionGroup(title: "Sampling") var sampling: SamplingArguments
    @OptionGroup(title: "Model") var model: ModelOptionArguments

    func validate() throws {
        if let maxTokens, maxTokens < 1 {
            throw ValidationError("--max-tokens: expected 1 or more, found \(maxTokens)")
        }
    }

    func run() async throws {
        let options = model.options
        let grammar = try form.load()
        let path = try await target.resolve().path
        let loaded = try await Terminal.cancellingOnInterrupt { try await LoadingBar.load(path, options: options) }
        guard loaded.chatTemplate != nil else { throw ModelFile.missingTemplate }
        let generation = GenerationOptions(
            sampling: sampling.parameters,
            maximumTokenCount: maxTokens,
            stop: stop,
            grammar: grammar
        )
        var loop = ChatLoop(model: loaded, system: system, options: generation)
        try await loop.run()
    }
}
