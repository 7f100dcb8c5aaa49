import Apus
import ApusCore
import ApusGrammar
import ApusStore
import ArgumentParser

/// `apus run`: answers one prompt.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Answer a prompt.",
        discussion: """
            The prompt is written the way the model's chat template wants it; --raw continues it as it stands. Text on \
            standard input joins the prompt, below it.

            Examples:
              apus run smollm2 "Why is the sky blue?"
              cat report.txt | apus run smollm2 "summarise"
              apus run ./model.gguf --raw --temperature 0 --max-tokens 32 "Once upon a time"
              apus run smollm2 "Name three rivers." --json --seed 7
              apus run smollm2 "Describe Rome." --json-schema city.json
            """
    )

    @OptionGroup var target: ModelArgument
    @Argument(help: "What to say.")
    var prompt: String?

    @Option(help: "The most tokens to generate (default: up to the end of the context).")
    var maxTokens: Int?
    @Option(help: "The system prompt.")
    var system: String?
    @Flag(help: "Continue the prompt as it stands, without the chat template.")
    var raw = false
    @Option(help: "A text that ends the answer; may be given several times.")
    var stop: [String] = []
    @Flag(help: "Print one JSON object instead of the text.")
    var json = false
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
        let prompt = try wholePrompt()
        let grammar = try form.load()
        let path = try await target.resolve().path
        try await Terminal.cancellingOnInterrupt {
            let start = ContinuousClock.now
            let loaded = try await LoadingBar.load(path, options: options)
            let generation = try generation(prompt, with: loaded, grammar: grammar)
            try await stream(generation, loading: start.duration(to: .now))
        }
    }

    /// The prompt and what comes in on standard input.
    private func wholePrompt() throws -> String {
        let piped = Terminal.isInputTerminal ? "" : try Terminal.readInput()
        switch (prompt, piped.isEmpty) {
        case (let prompt?, true): return prompt
        case (let prompt?, false): return "\(prompt)\n\n\(piped)"
        case (nil, false): return piped
        case (nil, true):
            throw ValidationError(
                "expected a prompt, or text on standard input; for a conversation: apus chat \(target.model)"
            )
        }
    }

    private func generation(_ prompt: String, with model: Model, grammar: Grammar?) throws -> TextGeneration {
        let options = GenerationOptions(
            sampling: sampling.parameters,
            maximumTokenCount: maxTokens,
            stop: stop,
            grammar: grammar
        )
        guard raw else { return try model.chat(system: system, options: options).send(prompt) }
        guard system == nil else { throw ValidationError("--system needs a chat template: it can't go with --raw") }
        return try model.generate(prompt, options: options)
    }

    private func stream(_ generation: TextGeneration, loading: Duration) async throws {
        var record = RunRecord(loading: loading)
        for try await piece in generation {
            record.add(piece)
            if !json, !piece.text.isEmpty { Terminal.write(piece.text) }
        }
        try Task.checkCancellation()
        if json {
            Terminal.write(record.jsonText + "\n")
        } else if !record.text.hasSuffix("\n") {
            Terminal.write("\n")
        }
        if record.endedAtLength, maxTokens == nil {
            Terminal.note("apus: the context is full, the answer may be unfinished; --context N makes it longer\n")
        }
    }
}

/// What `run --json` prints.
private struct RunRecord {
    var text = ""
    private var tokens: [Int32] = []
    private var summary: TextGeneration.Summary?
    private let loading: Duration

    init(loading: Duration) { self.loading = loading }

    mutating func add(_ piece: TextGeneration.Piece) {
        text += piece.text
        tokens += piece.tokens
        if let ended = piece.summary { summary = ended }
    }

    var endedAtLength: Bool { summary?.reason == .length }

    var jsonText: String {
        var writer = JSONWriter(.pretty)
        writer.object { writer in
            writer.key("text")
            writer.value(text)
            writer.key("tokens")
            writer.array { writer in for token in tokens { writer.value(token) } }
            writer.key("prompt_tokens")
            writer.value(summary?.promptTokenCount ?? 0)
            writer.key("finish_reason")
            writer.value(summary?.reason.rawValue ?? "")
            writer.key("timings")
            writer.object { writer in
                writer.key("load_ms")
                writer.value(JSONRounding.thousandths(loading / .milliseconds(1)))
                writer.key("prefill_tps")
                writer.value(JSONRounding.thousandths(summary?.timings?.prefillTokensPerSecond ?? 0))
                writer.key("decode_tps")
                writer.value(JSONRounding.thousandths(summary?.timings?.decodeTokensPerSecond ?? 0))
            }
            writer.key("peak_rss_bytes")
            writer.value(HostMemory.peakResidentByteCount)
        }
        return writer.text
    }
}
