import Apus
import ApusCore
import ApusEval
import ApusQuantize
import ApusStore
import ApusTensor
import ArgumentParser

/// `apus quantize`: writes a smaller file of a model.
struct QuantizeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Write a model with smaller weights, and say what was lost.",
        discussion: """
            The source is a .gguf file, or a folder as the Hugging Face hub has it (config.json, tokenizer.json, \
            .safetensors files), which becomes a GGUF file that llama.cpp reads too. Norms and biases are not rounded. \
            Take a source with 16 or 32 bits: rounding what was rounded before loses more than it saves.

            With --measure the result is compared with the source on a text (see: apus eval kl), and the file keeps what \
            was found: apus show prints it.

            With --imatrix, weights that matter more on a calibration text are kept more exactly, which helps most at \
            few bits: a file of apus imatrix or of llama.cpp.

            q3_g64, q3_g128 and i4_row are types of Apus' own: llama.cpp refuses such files.

            A run that was interrupted goes on where it stopped when it is typed again.

            Examples:
              apus quantize Qwen2.5-0.5B-Instruct qwen.Q4_K_M.gguf --type q4_k_m
              apus quantize model.F16.gguf model.Q4_K_M.gguf --type q4_k_m
              apus quantize model.F16.gguf small.gguf --type q4_k_m --measure wikitext2-valid.txt --chunks 20
              apus quantize model.F16.gguf small.gguf --type q3_k_m --imatrix model.imatrix.gguf
              apus quantize model.F16.gguf mine.gguf --type q4_0 --tensor 'blk.*.ffn_down.weight=q6_k'
            """
    )

    @OptionGroup var target: ModelArgument
    @Argument(help: "The file to write, such as model.Q4_K_M.gguf.", completion: .file(extensions: ["gguf"]))
    var output: String
    @Option(help: ArgumentHelp("What the matrices become.", valueName: "type"))
    var type: QuantizationType
    @Option(
        help: ArgumentHelp(
            "Another type for tensors that match a pattern; may be given several times.",
            valueName: "pattern=type"
        )
    )
    var tensor: [TensorRule] = []
    @Option(
        help: ArgumentHelp("Weigh the errors by this importance matrix (see: apus imatrix).", valueName: "file")
    )
    var imatrix: String?
    @Option(help: ArgumentHelp("Measure what was lost on this text.", valueName: "file"))
    var measure: String?
    @Option(help: "Tokens of a chunk of the text.")
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
        let text = try measure.map { try Terminal.readFile($0) }
        let path = try await target.resolve().path
        let file = try ModelFile(path: path)
        // What would be found only after all the writing.
        if let text { _ = try ScoredText(text, for: file, contextLength: context) }
        let source = try ConversionSource(file)
        try OutputFile.check(output, against: source.paths, isForced: force)
        let importance = try imatrix.map { try ImportanceMatrix(path: $0) }
        try await Terminal.cancellingOnInterrupt {
            try quantize(source, at: path, importance: importance, measuringOn: text)
        }
    }

    private func quantize(
        _ source: ConversionSource,
        at path: String,
        importance: ImportanceMatrix?,
        measuringOn text: [UInt8]?
    ) throws {
        Terminal.showProgress("checking the source")
        let record = try FidelityRecord(
            source: lastComponent(of: path),
            contentHash: ContentHash.hexDigits(ofFiles: source.weightPaths),
            calibration: importance.map {
                try .init(name: lastComponent(of: $0.path), contentHash: ContentHash.hexDigits(ofFiles: [$0.path]))
            },
            text: text.map {
                .init(
                    name: lastComponent(of: measure ?? ""),
                    contentHash: ContentHash.hexDigits(of: $0),
                    contextLength: context
                )
            }
        )
        var quantizer = try Quantizer(source, to: type, rules: tensor, importance: importance, record: record)
        Terminal.showProgress()
        if quantizer.isSourceQuantized {
            Terminal.note(
                "apus: warning: the source was quantized before; a source with 16 or 32 bits gives better results\n"
            )
        }
        let compute = try Compute(threadCount: threads ?? ProcessorCount.available)
        let part = try PartFile(target: output)
        let bar = WorkBar(name: lastComponent(of: output), total: quantizer.byteCount)
        try quantizer.write(to: part, compute: compute) { bar.show($0) }
        bar.finish()
        let loss = try text.map { try self.loss(of: part.path, from: path, on: $0) }
        if let loss { try quantizer.set(loss.measures, in: part) }
        try part.finish()
        let report = QuantizeReport(path: output, type: type, quantizer: quantizer, loss: loss)
        Terminal.write(json ? report.json : report.text)
    }

    private func loss(of path: String, from source: String, on text: [UInt8]) throws -> DivergenceResult {
        let options = ModelOptions(threadCount: threads, contextLength: context)
        let run = DivergenceRun(
            path: path,
            options: options,
            referencePath: source,
            referenceOptions: options,
            contextLength: context,
            chunks: chunks
        )
        return try run.result(on: text, worstCount: 0).result
    }

    private func lastComponent(of path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }
}

extension QuantizationType: ExpressibleByArgument {
    /// The type with a name, in any case.
    public init?(argument: String) { self.init(name: argument) }
    /// All names, for help and completion.
    public static var allValueStrings: [String] { all.map { $0.name.lowercased() } }
}

extension TensorRule: ExpressibleByArgument {
    /// PATTERN=TYPE.
    public init?(argument: String) { self.init(argument) }
}
