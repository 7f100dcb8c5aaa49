import ApusCore
import ApusEngine
import ApusNN
import ApusTensor
import Synchronization

extension Model {
    /// The mean of a text's last hidden states, after the final norm: `hiddenSize` floats.
    ///
    /// It has its own buffers, sized to the text, and takes turns with nobody: a generation under way goes on.
    /// - Throws: `ApusError`: `contextFull` with the counts if the text fits neither the context nor what memory is left,
    ///   `invalidArgument` if it is empty.
    public func embedding(of text: String) throws -> [Float] {
        try embedding(of: tokenizer.encode(text))
    }

    /// The mean of a sequence's last hidden states.
    /// - Throws: as for text, and for tokens that are not in the vocabulary.
    package func embedding(of tokens: [Int32]) throws -> [Float] {
        try check(tokens)
        return try embedder.embedding(of: tokens)
    }

    /// How likely the model finds each token of a sequence after those before it, beginning with the second one.
    /// - Parameters:
    ///   - tokens: the sequence.
    ///   - alternativeCount: how many of the likeliest tokens in each place are named.
    /// - Throws: as for embeddings.
    package func logprobs(of tokens: [Int32], alternativeCount: Int) throws -> [TokenLogprobs] {
        try check(tokens)
        return try embedder.logprobs(of: tokens, alternativeCount: alternativeCount)
    }

    private func check(_ tokens: [Int32]) throws {
        for token in tokens where !(0..<Int32(clamping: tokenizer.vocabularySize)).contains(token) {
            throw ApusError(
                .invalidArgument,
                "expected token ids of 0 to \(tokenizer.vocabularySize - 1), found \(token)"
            )
        }
    }
}

/// Computes hidden states and logits beside the engine, one text at a time.
final class Embedder: Sendable {
    private let model: any LanguageModel
    private let compute: Mutex<Compute?>
    private let options: ModelOptions
    private let byteLimit: Int
    private let threadCount: Int
    private let contextLength: Int

    /// - Parameter byteLimit: bytes that a text may take.
    init(model: any LanguageModel, options: ModelOptions, byteLimit: Int, threadCount: Int) {
        contextLength = model.shape.contextLength
        self.model = model
        compute = Mutex(nil)
        self.options = options
        self.byteLimit = byteLimit
        self.threadCount = threadCount
    }

    func embedding(of tokens: [Int32]) throws -> [Float] {
        try withRunner(for: tokens, rowCount: options.chunkLength ?? 256) { $0.meanHiddenState(of: tokens) }
    }

    func logprobs(of tokens: [Int32], alternativeCount: Int) throws -> [TokenLogprobs] {
        // Few rows: each has the logits of a whole vocabulary.
        try withRunner(for: tokens, rowCount: 32) { runner in
            var recorder = LogprobRecorder(alternativeCount: alternativeCount, vocabularySize: runner.vocabularySize)
            var candidates = Candidates(vocabularySize: runner.vocabularySize)
            var logprobs: [TokenLogprobs] = []
            logprobs.reserveCapacity(tokens.count)
            runner.forEachLogits(of: tokens.dropLast()) { index, logits in
                recorder.read(logits.span, candidates: &candidates)
                recorder.record(tokens[index + 1])
                logprobs.append(recorder.recorded)
            }
            return logprobs
        }
    }

    private func withRunner<Result: Sendable>(
        for tokens: [Int32],
        rowCount: Int,
        _ body: @Sendable (ModelRunner) -> Result
    ) throws -> Result {
        guard !tokens.isEmpty else { throw ApusError(.invalidArgument, "expected some text, found none") }
        guard tokens.count <= contextLength else {
            throw ApusError(.contextFull, "the text has \(tokens.count) tokens, the context \(contextLength)")
        }
        let rows = min(tokens.count, rowCount)
        let sizes = ModelRunner.Sizes(
            kvPositionCount: tokens.count,
            contextLength: tokens.count,
            maximumRowCount: rows,
            maximumLogitsRowCount: rows,
            kvType: options.kvType,
            maximumSequenceCount: 1
        )
        try check(sizes)
        return try compute.withLock { held in
            let compute = try held ?? Compute(threadCount: threadCount)
            held = compute
            return body(try ModelRunner(model: model, sizes: sizes, compute: compute))
        }
    }

    /// Refuses what would break the memory plan.
    private func check(_ sizes: ModelRunner.Sizes) throws {
        let counts = ModelRunner.byteCounts(shape: model.shape, sizes: sizes)
        let needed = counts.keyValues + counts.activations + threadCount * Compute.scratchByteCount
        guard needed <= byteLimit else {
            throw ApusError(
                .contextFull,
                "the text has \(sizes.contextLength) tokens, for which \(ByteCount.text(needed)) are needed beside the model; "
                    + "\(ByteCount.text(byteLimit)) are left: shorten it, raise --memory, or lower --contexts or --context"
            )
        }
    }
}
