import Apus
import ApusCore
import ApusEval
import ApusStore
import ArgumentParser

/// `apus eval perplexity`: how surprised a model is by a text.
struct PerplexityCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "perplexity",
        abstract: "Measure perplexity by llama.cpp's protocol: the second half of each chunk is scored.",
        discussion: """
            Examples:
              apus eval perplexity smollm2 --file wikitext2-test.txt --chunks 20
              apus eval perplexity ./model.gguf --file text.txt --context 512 --kv q8_0 --json
            """
    )

    @OptionGroup var target: ModelArgument
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
    @Option(help: "Round float weights to this type while loading.")
    var quantize: ElementType?
    /// Hidden: what `tools/quality` compares with other programs' logits.
    @Option(help: .hidden)
    var logits: String?
    @Flag(help: "Print one JSON object.")
    var json = false

    func run() async throws {
        let options = ModelOptions(threadCount: threads, contextLength: context, kvType: kv, quantization: quantize)
        if let chunks, chunks < 1 { throw ValidationError("--chunks: expected 1 or more, found \(chunks)") }
        let text = try Terminal.readFile(file)
        let path = try await target.resolve().path
        let model = try LoadedModel(path: path, options: options)
        var measure = try Perplexity(model, text: text, contextLength: context, kvType: kv)
        var result = Perplexity.Result()
        let count = min(chunks ?? measure.chunkCount, measure.chunkCount)
        let logitsFile = try logits.map { try LogitsFile(path: $0) }
        for chunk in 0..<count {
            measure.score(chunk: chunk, into: &result) { logitsFile?.append($0) }
            guard result.perplexity.isFinite else {
                Terminal.showProgress()
                throw ApusError(
                    .malformedFile,
                    "\(path): chunk \(chunk + 1): expected logits that are finite numbers, found others: "
                        + "check the file's weights and RoPE fields"
                )
            }
            Terminal.showProgress("chunk \(chunk + 1) of \(count): \(JSONRounding.thousandths(result.perplexity))")
        }
        Terminal.showProgress()
        try logitsFile?.close()
        let perplexity = JSONRounding.thousandths(result.perplexity)
        let error = JSONRounding.thousandths(result.standardError)
        guard json else {
            Terminal.write("perplexity \(perplexity) +/- \(error) over \(result.tokenCount) tokens\n")
            return
        }
        var writer = JSONWriter(.pretty)
        writer.object { writer in
            writer.key("perplexity")
            writer.value(perplexity)
            writer.key("stderr")
            writer.value(error)
            writer.key("tokens")
            writer.value(result.tokenCount)
        }
        Terminal.write(writer.text + "\n")
    }
}
