public import ApusChat
import ApusCore
public import ApusEngine
import ApusGrammar
import ApusModels
package import ApusNN
public import ApusTensor
public import ApusTokenizers
import Synchronization

/// A loaded model: generates, chats, tokenizes, embeds.
///
/// Thread-safe; requests may overlap, each gives the tokens it would give alone.
///
/// ```swift
/// let model = try await Model.load("SmolLM2-135M-Instruct.Q4_1.gguf")
/// for try await piece in try model.chat().send("Why is the sky blue?") { print(piece, terminator: "") }
/// ```
public final class Model: Sendable {
    /// Turns text into token ids and back.
    public let tokenizer: Tokenizer
    /// How conversations are written for this model; nil for a base model.
    public let chatTemplate: ChatTemplate?
    /// How conversations with tools are written; the same as without for most models.
    package let toolTemplate: ChatTemplate?
    /// How the model writes tool calls, as its template shows them.
    package let toolCallFormat: ToolCallFormat
    /// Whether its template knows of thoughts before an answer.
    package let mayThink: Bool
    /// What computes.
    public let engine: Engine
    /// Where the memory goes.
    public let memoryPlan: MemoryPlan
    /// The kernels in use.
    public let kernelTier: KernelTier
    /// Compute threads in use.
    public let threadCount: Int
    /// The file or folder it was loaded from.
    public let path: String
    let embedder: Embedder
    let store: PrefixStore?
    private let trie = Mutex<TokenTrie?>(nil)

    /// Loads a model from a `.gguf` file (of a split model: the first part) or a folder with safetensors.
    /// - Parameters:
    ///   - path: the file or folder.
    ///   - options: threads, context, memory.
    ///   - progress: called with the share of weights loaded, from another thread.
    /// - Throws: `ApusError` naming what is wrong and where.
    public static func load(
        _ path: String,
        options: ModelOptions = ModelOptions(),
        progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) async throws -> Model {
        try Task.checkCancellation()
        return try Model(path: path, options: options, progress: progress)
    }

    /// Loads a model on the calling thread, as `load` does.
    package convenience init(
        path: String,
        options: ModelOptions,
        progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) throws {
        try self.init(LoadedModel(path: path, options: options, progress: progress), options: options)
    }

    /// The vocabulary as grammars walk it; made when the first one is used.
    var tokenTrie: TokenTrie {
        trie.withLock { trie in
            let found = trie ?? TokenTrie(tokenizer)
            trie = found
            return found
        }
    }

    private init(_ loaded: sending LoadedModel, options: ModelOptions) throws {
        path = loaded.file.path
        tokenizer = loaded.tokenizer
        let source = try loaded.file.templateSource()
        chatTemplate = try source.map { try ChatTemplate(source: $0) }
        mayThink = source?.contains("<think>") ?? false
        let toolSource = try loaded.file.templateSource(hasTools: true)
        toolTemplate = try toolSource.map { try ChatTemplate(source: $0) }
        toolCallFormat = ToolCallFormat(template: toolSource ?? "")
        memoryPlan = loaded.plan
        kernelTier = loaded.compute.kernels.tier
        threadCount = loaded.compute.threadCount
        embedder = Embedder(
            model: loaded.model,
            options: options,
            byteLimit: options.textByteLimit ?? loaded.plan.limit - loaded.plan.total,
            threadCount: loaded.compute.threadCount
        )
        let runner = try ModelRunner(model: loaded.model, sizes: loaded.plan.sizes, compute: loaded.compute)
        var configuration = options.engine
        configuration.chunkLength = options.chunkLength
        store = try loaded.prefixStore(for: runner, options: options)
        engine = try Engine(runner: runner, configuration: configuration, store: store)
    }
}

/// The parts of a model before an engine owns them.
package struct LoadedModel {
    package let file: ModelFile
    package let tokenizer: Tokenizer
    package let model: any LanguageModel
    package let plan: MemoryPlan
    package let compute: Compute

    /// Opens and loads everything, checking that tokenizer and model belong together.
    package init(
        path: String,
        options: ModelOptions,
        progress: @escaping @Sendable (Double) -> Void = { _ in }
    ) throws {
        if let count = options.threadCount, !(1...1024).contains(count) {
            throw ApusError(.invalidArgument, "threads: expected 1 to 1024, found \(count)")
        }
        file = try ModelFile(path: path)
        compute = try Compute(threadCount: options.threadCount ?? ProcessorCount.available)
        var source = try file.model()
        tokenizer = try file.tokenizer()
        let weights = source.weightByteCount(quantization: options.quantization, kernels: compute.kernels)
        let limit = options.effectiveMemoryLimit
        guard weights <= limit else {
            throw ApusError(
                .outOfMemory,
                "\(path): the weights need \(ByteCount.text(weights)), the limit is \(ByteCount.text(limit)): "
                    + "take a smaller model or quantization, or raise --memory"
            )
        }
        // A plan that cannot be made is refused below, once the tensors are known to be right.
        let expected = try? MemoryPlan(
            path: path,
            shape: source.shape(vocabularySize: tokenizer.vocabularySize, quantization: options.quantization),
            weights: weights,
            threadCount: compute.threadCount,
            options: options
        )
        if let expected { source = source.limited(toContext: expected.contextLength) }
        let unpacked = try source.unpacked(quantization: options.quantization, compute: compute, progress: progress)
        let tokenCount = tokenizer.vocabularySize
        guard tokenCount <= unpacked.shape.vocabularySize else {
            throw ApusError(
                .malformedFile,
                "\(path): the tokenizer has \(tokenCount) tokens, the model only \(unpacked.shape.vocabularySize)"
            )
        }
        plan = try MemoryPlan(
            path: path,
            shape: unpacked.shape,
            weights: weights,
            threadCount: compute.threadCount,
            options: options
        )
        model = try unpacked.packed()
    }
}
