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

            With --method gptq, a layer's weights are rounded together, so that what it computes on a calibration text \
            changes least given that all layers before are rounded. It takes minutes where rounding takes seconds, and helps \
            most at two to four bits. The source must have 16 or 32 bits.

            A run that was interrupted goes on where it stopped when it is typed again.

            Examples:
              apus quantize Qwen2.5-0.5B-Instruct qwen.Q4_K_M.gguf --type q4_k_m
              apus quantize model.F16.gguf model.Q4_K_M.gguf --type q4_k_m
              apus quantize model.F16.gguf small.gguf --type q4_k_m --measure wikitext2-valid.txt --chunks 20
              apus quantize model.F16.gguf small.gguf --type q3_k_m --imatrix model.imatrix.gguf
              apus quantize model.F16.gguf small.gguf --type q3_k_s --method gptq --calibration text.txt
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
    @Option(help: ArgumentHelp("How weights become codes.", valueName: "method"))
    var method = RoundingMethod.nearest
    @Option(help: ArgumentHelp("The text that gptq reads; not the one to measure on.", valueName: "file"))
    var calibration: String?
    @Option(help: "How many pieces of 1,024 tokens of it gptq reads.")
    var segments = 128
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
        if method == .gptq {
            if calibration == nil {
                throw ValidationError("--method gptq: expected --calibration FILE, a text to read")
            }
            if imatrix != nil {
                throw ValidationError("--imatrix: gptq weighs errors by its own calibration; give one or the other")
            }
            if ElementCodec.topCode(of: type.base) == nil {
                let names = QuantizationType.all.filter { ElementCodec.topCode(of: $0.base) != nil }.map {
                    $0.name.lowercased()
                }
                throw ValidationError(
                    "--method gptq: expected --type \(names.joined(separator: ", ")), found \(type.name.lowercased())"
                )
            }
        } else if calibration != nil {
            throw ValidationError("--calibration: it is what --method gptq reads, found --method \(method.rawValue)")
        }
        if segments < 1 { throw ValidationError("--segments: expected 1 or more, found \(segments)") }
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
        let calibration = try calibration.map {
            try CalibrationText(path: $0, for: file, segmentCount: segments)
        }
        try await Terminal.cancellingOnInterrupt {
            try quantize(source, at: path, importance: importance, calibration: calibration, measuringOn: text)
        }
    }

    private func quantize(
        _ source: ConversionSource,
        at path: String,
        importance: ImportanceMatrix?,
        calibration: CalibrationText?,
        measuringOn text: [UInt8]?
    ) throws {
        Terminal.showProgress("checking the source")
        let record = try FidelityRecord(
            source: lastComponent(of: path),
            contentHash: ContentHash.hexDigits(ofFiles: source.weightPaths),
            method: method,
            calibration: calibration?.record
                ?? importance.map {
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
        let part = try PartFile(target: output)
        if let calibration {
            try write(quantizer, of: path, to: part, calibration: calibration)
        } else {
            let compute = try Compute(threadCount: threads ?? ProcessorCount.available)
            let bar = WorkBar(name: lastComponent(of: output), total: quantizer.byteCount)
            try quantizer.write(to: part, compute: compute) { bar.show($0) }
            bar.finish()
        }
        let loss = try text.map { try self.loss(of: part.path, from: path, on: $0) }
        if let loss { try quantizer.set(loss.measures, in: part) }
        try part.finish()
        let report = QuantizeReport(path: output, type: type, quantizer: quantizer, loss: loss)
        Terminal.write(json ? report.json : report.text)
    }

    private func write(
        _ quantizer: Quantizer,
        of path: String,
        to part: PartFile,
        calibration: CalibrationText
    ) throws {
        let model = try LoadedModel(
            path: path,
            options: ModelOptions(
                threadCount: threads,
                contextLength: calibration.segmentLength,
                quantization: .f32
            )
        )
        defer { Terminal.showProgress() }
        let gptq = try GPTQ(model, items: quantizer.items, texts: calibration.segments) { progress in
            let layer = "layer \(progress.half / 2 + 1) of \(progress.halfCount / 2)"
            Terminal.showProgress("\(lastComponent(of: output)): \(layer), \(Int(progress.share * 100)) % in all")
        }
        try quantizer.write(to: part, gptq: gptq, compute: model.compute) { _ in }
        Terminal.showProgress()
        if !gptq.notCompensated.isEmpty {
            Terminal.note(
                "apus: warning: rounded to nearest, since the calibration text tells too little about their inputs: "
                    + "\(gptq.notCompensated.joined(separator: ", "))\n"
            )
        }
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

extension RoundingMethod: ExpressibleByArgument {}

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
