import Apus
import ApusCore
import ApusEval
import ApusQuantize
import ApusStore
import ArgumentParser

/// `apus eval compare`: size, speed and quality of several variants.
struct CompareCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Compare variants of a model: size, speed and quality.",
        discussion: """
            The first variant is the reference: what the others lost is measured against it on the text, as apus eval kl \
            does. Speed is measured in turns, one variant after the other and all of them again, each loaded for its turn \
            alone; the median counts. A variant is a model, followed by ,kv=TYPE for another KV cache and \
            ,quantize=TYPE for weights rounded while loading.

            Examples:
              apus eval compare model.F16.gguf model.Q8_0.gguf model.Q4_K_M.gguf --file wikitext2-test.txt
              apus eval compare FOLDER small.gguf small.gguf,kv=kivi4 --file text.txt --chunks 20 --html report.html
              apus eval compare smollm2 smollm2,kv=q8_0 smollm2,kv=kivi2 --file text.txt --json
            """
    )

    @Argument(help: ArgumentHelp("The reference, and what to compare with it.", valueName: "variant"))
    var variants: [Variant]
    @Flag(help: ModelArgument.offlineHelp)
    var offline = false
    @Option(help: "The text.")
    var file: String
    @Option(help: "Tokens of a chunk.")
    var context = 512
    @Option(help: "How many chunks (default: all).")
    var chunks: Int?
    @Option(help: "Tokens of the prompt whose processing is timed.")
    var prompt = 256
    @Option(help: "Tokens to generate behind it.")
    var generate = 64
    @Option(help: "How often to time each variant.")
    var `repeat` = 3
    @Option(help: "Compute threads (default: as many as affinity and CPU quota allow).")
    var threads: Int?
    @Option(help: "Write a page with plots, which opens without a network.", completion: .file(extensions: ["html"]))
    var html: String?
    @Flag(help: "Replace the page if there is one.")
    var force = false
    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        guard variants.count >= 2 else {
            throw ValidationError("nothing to compare: expected a reference and at least one other variant")
        }
        if let twice = variants.enumerated().first(where: { variants[..<$0].contains($1) }) {
            throw ValidationError("expected different variants, found \(twice.element.text) twice")
        }
        if let chunks, chunks < 1 { throw ValidationError("--chunks: expected 1 or more, found \(chunks)") }
        for (name, value, most) in [
            ("prompt", prompt, 1 << 20), ("generate", generate, 1 << 20), ("repeat", `repeat`, 1000),
        ]
        where !(1...most).contains(value) {
            throw ValidationError("--\(name): expected 1 to \(most), found \(value)")
        }
    }

    func run() async throws {
        let text = try Terminal.readFile(file)
        var resolved: [(variant: Variant, path: String)] = []
        for variant in variants {
            let path = try await ModelArgument.resolve(variant.model, isOffline: offline).path
            // What would be found only after all the timing.
            _ = try ScoredText(text, for: ModelFile(path: path), contextLength: context)
            resolved.append((variant, path))
        }
        if let html { try OutputFile.check(html, against: resolved.map(\.path) + [file], isForced: force) }
        let run = ComparisonRun(
            variants: resolved,
            text: text,
            contextLength: context,
            chunks: chunks,
            work: .init(promptCount: prompt, generateCount: generate, batchCount: 1),
            rounds: `repeat`,
            threads: threads
        )
        let (entries, tier) = try await Terminal.cancellingOnInterrupt { try run.entries() }
        let comparison = Comparison(
            text: .init(
                name: file.split(separator: "/").last.map(String.init) ?? file,
                contentHash: ContentHash.hexDigits(of: text),
                contextLength: context
            ),
            work: run.work,
            tier: tier,
            threadCount: threads ?? ProcessorCount.available,
            command: Terminal.commandLine,
            entries: entries
        )
        if let html { try PartFile(target: html).finish(with: Array(ComparisonPage(comparison).html.utf8)) }
        Terminal.write(json ? comparison.json : comparison.table)
    }
}
