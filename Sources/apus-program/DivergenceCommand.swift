import Apus
import ApusCore
import ApusEval
import ApusStore
import ArgumentParser

/// `apus eval kl`: how far a model's predictions are from a reference's.
struct DivergenceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kl",
        abstract: "Measure how far a model's predictions are from a reference's.",
        discussion: """
            The text is cut up as for perplexity, and in the second half of each chunk the distributions of the next \
            token are compared: Kullback-Leibler divergence in nats a token, how often the most likely token is the \
            reference's, and how many of its five most likely ones are the model's. Intervals are of 95 %, as if \
            predictions were independent.

            Without --reference the model is compared with itself, unrounded and with --reference-kv.

            Examples:
              apus eval kl ./model.Q4_K_M.gguf --reference ./model.F16.gguf --file wikitext2-test.txt
              apus eval kl smollm2 --kv q8_0 --file text.txt --chunks 20
              apus eval kl ./model.F16.gguf --quantize q4_0 --file text.txt --json
            """
    )

    @OptionGroup var target: ModelArgument
    @Option(help: ArgumentHelp("The model to compare with (default: the same).", valueName: "model"))
    var reference: String?
    @Option(help: "The text.")
    var file: String
    @Option(help: "Tokens of a chunk.")
    var context = 512
    @Option(help: "How many chunks (default: all).")
    var chunks: Int?
    @Option(help: "Compute threads (default: as many as affinity and CPU quota allow).")
    var threads: Int?
    @Option(help: "How keys and values are stored.")
    var kv = KVType.f16
    @Option(help: "How the reference's keys and values are stored.")
    var referenceKv = KVType.f16
    @Option(help: "Round float weights to this type while loading; the reference's stay as they are.")
    var quantize: ElementType?
    @Option(help: "How many of the worst predictions to print.")
    var worst = 5
    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if let chunks, chunks < 1 { throw ValidationError("--chunks: expected 1 or more, found \(chunks)") }
        guard (0...1000).contains(worst) else { throw ValidationError("--worst: expected 0 to 1000, found \(worst)") }
        guard reference != nil || kv != referenceKv || quantize != nil else {
            throw ValidationError("nothing to compare: expected --reference, another --kv, or --quantize")
        }
    }

    func run() async throws {
        let text = try Terminal.readFile(file)
        let path = try await target.resolve().path
        let referencePath = try await referencePath(of: path)
        let run = DivergenceRun(
            path: path,
            options: options(kv, quantize),
            referencePath: referencePath,
            referenceOptions: options(referenceKv, nil),
            contextLength: context,
            chunks: chunks
        )
        let (result, tokenizer) = try run.result(on: text, worstCount: worst)
        let report = DivergenceReport(result: result, tokenizer: tokenizer)
        Terminal.write(json ? report.json : report.text)
    }

    private func referencePath(of path: String) async throws -> String {
        guard let reference else { return path }
        return try await ModelArgument.resolve(reference, isOffline: target.offline).path
    }

    private func options(_ kvType: KVType, _ quantization: ElementType?) -> ModelOptions {
        ModelOptions(threadCount: threads, contextLength: context, kvType: kvType, quantization: quantization)
    }
}
