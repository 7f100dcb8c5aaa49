import Apus
import ApusCore
import ApusEval
import ApusQuantize
import ApusStore
import ArgumentParser

/// `apus imatrix`: which inputs of a model's matrices matter on a text.
struct ImatrixCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "imatrix",
        abstract: "Find which weights matter on a calibration text, for apus quantize.",
        discussion: """
            The text is cut up as for perplexity, and the squares of what each matrix reads are summed up, column by \
            column. The file is one that llama.cpp reads, too.

            Take a text like those the model will see; 100 chunks are plenty. Take a source with 16 or 32 bits where \
            there is one, or one with 8.

            Examples:
              apus imatrix model.F16.gguf --file wikitext2-valid.txt --chunks 100 -o model.imatrix.gguf
              apus quantize model.F16.gguf model.Q3_K_M.gguf --type q3_k_m --imatrix model.imatrix.gguf
            """
    )

    @OptionGroup var target: ModelArgument
    @Option(help: "The text.")
    var file: String
    @Option(
        name: [.short, .long],
        help: "The file to write, such as model.imatrix.gguf.",
        completion: .file(extensions: ["gguf"])
    )
    var output: String
    @Option(help: "Tokens of a chunk.")
    var context = 512
    @Option(help: "How many chunks of the text (default: all).")
    var chunks: Int?
    @Option(help: "Compute threads (default: as many as affinity and CPU quota allow).")
    var threads: Int?
    @Flag(help: "Replace the output file if there is one.")
    var force = false
    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        if let chunks, chunks < 1 { throw ValidationError("--chunks: expected 1 or more, found \(chunks)") }
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads: expected 1 to 1024, found \(threads)")
        }
    }

    func run() async throws {
        let text = try Terminal.readFile(file)
        let path = try await target.resolve().path
        let sources = try ModelFile(path: path).files.map(\.path)
        try OutputFile.check(output, against: sources + [file], isForced: force)
        try await Terminal.cancellingOnInterrupt { try collect(from: path, on: text) }
    }

    private func collect(from path: String, on text: [UInt8]) throws {
        let part = try PartFile(target: output)
        var isFinished = false
        // There is nothing to go on with in what a run leaves.
        defer { if !isFinished { part.discard() } }
        let model = try LoadedModel(path: path, options: ModelOptions(threadCount: threads, contextLength: context))
        var collector = try ImportanceCollector(model, text: text, contextLength: context)
        let count = min(chunks ?? collector.chunkCount, collector.chunkCount)
        defer { Terminal.showProgress() }
        for chunk in 0..<count {
            try Task.checkCancellation()
            Terminal.showProgress("chunk \(chunk + 1) of \(count)")
            try collector.add(chunk: chunk)
        }
        let sums = collector.sumsByName
        let bytes = try ImportanceMatrix.file(
            sums: sums,
            rowCount: collector.rowCount,
            dataset: file.split(separator: "/").last.map(String.init) ?? file,
            chunkCount: count,
            chunkLength: context
        )
        try part.finish(with: bytes)
        isFinished = true
        Terminal.showProgress()
        report(matrixCount: sums.count, chunkCount: count, tokenCount: collector.rowCount)
    }

    private func report(matrixCount: Int, chunkCount: Int, tokenCount: Int) {
        guard json else {
            Terminal.write("\(output): \(matrixCount) matrices over \(tokenCount) tokens in \(chunkCount) chunks\n")
            return
        }
        var writer = JSONWriter(.pretty)
        writer.object { writer in
            writer.member("path", output)
            writer.member("matrices", matrixCount)
            writer.member("chunks", chunkCount)
            writer.member("tokens", tokenCount)
        }
        Terminal.write(writer.text + "\n")
    }
}
