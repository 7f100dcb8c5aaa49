import ApusCore
import ApusFormats
import ApusModels
import ApusNN
import ApusTensor
import ApusTestSupport

/// A tiny model of Fixtures/models with the logits that transformers computes for it (tools/fixtures/models.py).
struct ReferenceModel {
    static let names = [
        "llama", "llama-linear", "llama-yarn", "llama-yarn-own", "llama3-rope", "mistral-window", "qwen2", "qwen3",
        "gemma3", "gemma3-linear", "phi3", "phi3-longrope",
    ]
    /// The models that are there as GGUF files too (tools/fixtures/models_gguf.py).
    static let ggufNames = [
        "llama3-rope", "llama-linear", "llama-yarn", "llama-yarn-own", "qwen2", "qwen3", "gemma3-linear",
        "phi3-longrope",
    ]

    /// The form of the model's file.
    enum Form: CaseIterable { case safetensors, gguf }

    let source: ModelSource
    let tokens: [Int32]
    /// The logits of the last rows.
    let logits: [[Float]]

    /// - Parameter record: the text and its logits; `logits-long` is longer than the context first trained for.
    init(_ name: String, _ form: Form = .safetensors, record: String = "logits") throws {
        let path = Fixture.path("models/\(name)")
        let whole =
            switch form {
            case .safetensors: try ModelSource(ModelFolder(path: path))
            case .gguf: try ModelSource(GGUFFile(path: "\(path)/model.gguf"))
            }
        let record = try JSONValue(parsing: MappedFile(path: "\(path)/\(record).json").bytes)
        tokens = try record.member("tokens").elements().map { Int32(try $0.integer()) }
        logits = try record.member("logits").elements().map { try $0.elements().map { Float(try $0.double()) } }
        // The reference, too, goes by the length of the text.
        source = whole.limited(toContext: tokens.count)
    }

    /// The largest relative difference of a row: the largest difference by the largest magnitude of the row.
    ///
    /// Keys and values are kept as floats, since the reference does.
    func difference(
        _ edit: Edit = Edit(),
        storage: StepDriver.Storage = .float,
        quantization: ElementType? = nil
    ) throws -> Float {
        let compute = try Compute(threadCount: 1)
        var configuration = source.configuration
        edit.configuration(&configuration)
        let weights = try WeightLoader(
            tensors: EditedTensors(source.tensors, hidden: edit.hiddenTensors, replaced: edit.replacedTensors),
            quantization: quantization,
            compute: compute,
            progress: { _ in }
        )
        let model = try (edit.load ?? source.family.load)(configuration, weights)
        try weights.packWeights()
        let driver = try StepDriver(model, storage: storage, compute: compute)
        return FloatDifference.relative(driver.logits(of: tokens).suffix(logits.count), logits)
    }
}

/// What a test changes in a model before it is loaded.
struct Edit {
    var configuration: (inout ModelConfiguration) -> Void = { _ in }
    /// GGUF names of tensors that the loader does not find.
    var hiddenTensors: (String) -> Bool = { _ in false }
    var replacedTensors: [String: TensorInfo] = [:]
    /// Puts the model together instead of its family.
    var load: ((ModelConfiguration, WeightLoader) throws -> any LanguageModel)?
}

/// Tensors of which some are hidden or exchanged.
struct EditedTensors: TensorSource {
    private let base: any TensorSource
    private let hidden: (String) -> Bool
    private let replaced: [String: TensorInfo]

    init(_ base: any TensorSource, hidden: @escaping (String) -> Bool, replaced: [String: TensorInfo]) {
        self.base = base
        self.hidden = hidden
        self.replaced = replaced
    }

    var path: String { base.path }
    var all: [TensorInfo] { base.all + replaced.values }
    func nameInFile(_ name: String) -> String { base.nameInFile(name) }
    func tensor(named name: String) -> TensorInfo? {
        hidden(name) ? nil : replaced[name] ?? base.tensor(named: name)
    }
}
