import ApusCore
import ApusEngine
import ApusNN
import ApusTensor
import Synchronization

extension Model {
    /// The mean of a text's last hidden states, after the final norm: `hiddenSize` floats.
    ///
    /// It has its own buffers, sized to the text, and takes turns with nobody: a generation under way goes on.
    /// - Throws: `ApusError`: `contextFull` with the counts if the text does not fit, `invalidArgument` if it is empty.
    public func embedding(of text: String) throws -> [Float] {
        try embedding(of: tokenizer.encode(text))
    }

    /// The mean of a sequence's last hidden states.
    /// - Throws: as for text, and for tokens that are not in the vocabulary.
    package func embedding(of tokens: [Int32]) throws -> [Float] {
        for token in tokens where !(0..<Int32(clamping: tokenizer.vocabularySize)).contains(token) {
            throw ApusError(
                .invalidArgument,
                "embedding: expected token ids of 0 to \(tokenizer.vocabularySize - 1), found \(token)"
            )
        }
        return try embedder.embedding(of: tokens)
    }
}

/// Computes hidden states beside the engine, one text at a time.
final class Embedder: Sendable {
    private let model: any LanguageModel
    private let compute: Mutex<Compute?>
    private let options: ModelOptions
    private let threadCount: Int
    private let contextLength: Int

    init(model: any LanguageModel, options: ModelOptions, threadCount: Int) {
        contextLength = model.shape.contextLength
        self.model = model
        compute = Mutex(nil)
        self.options = options
        self.threadCount = threadCount
    }

    func embedding(of tokens: [Int32]) throws -> [Float] {
        guard !tokens.isEmpty else { throw ApusError(.invalidArgument, "embedding: expected some text, found none") }
        guard tokens.count <= contextLength else {
            throw ApusError(
                .contextFull,
                "embedding: the text has \(tokens.count) tokens, the context \(contextLength)"
            )
        }
        return try compute.withLock { held in
            let compute = try held ?? Compute(threadCount: threadCount)
            held = compute
            let rows = min(tokens.count, options.chunkLength ?? 256)
            let runner = try ModelRunner(
                model: model,
                sizes: ModelRunner.Sizes(
                    kvPositionCount: tokens.count,
                    contextLength: tokens.count,
                    maximumRowCount: rows,
                    maximumLogitsRowCount: rows,
                    kvType: options.kvType
                ),
                compute: compute
            )
            return runner.meanHiddenState(of: tokens)
        }
    }
}
