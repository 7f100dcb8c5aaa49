public import ApusNN
public import ApusTensor

/// A loaded model with its KV memory and buffers: runs the scheduler's steps.
///
/// Not thread-safe: the engine's task owns it.
public final class ModelRunner: StepRunning {
    /// How much memory a runner reserves beside the weights.
    public struct Sizes: Sendable {
        /// Positions the KV pool holds, over all sequences.
        public var kvPositionCount: Int
        /// The most positions of one sequence.
        public var contextLength: Int
        /// The most rows a step may have: the largest prompt chunk.
        public var maximumRowCount: Int
        /// The most rows of logits a step may ask for.
        public var maximumLogitsRowCount: Int
        /// How keys and values are stored.
        public var kvType: KVType
        /// Sequences that there is to be room for at once, however short the pool is.
        public var sequenceCount: Int
        /// The most sequences that will be under way at once, if that is known: types with exact pages keep some for each.
        public var maximumSequenceCount: Int

        /// Creates sizes.
        public init(
            kvPositionCount: Int,
            contextLength: Int,
            maximumRowCount: Int = 512,
            maximumLogitsRowCount: Int = 64,
            kvType: KVType = .f16,
            sequenceCount: Int = 1,
            maximumSequenceCount: Int = .max
        ) {
            self.kvPositionCount = kvPositionCount
            self.contextLength = contextLength
            self.maximumRowCount = maximumRowCount
            self.maximumLogitsRowCount = maximumLogitsRowCount
            self.kvType = kvType
            self.sequenceCount = sequenceCount
            self.maximumSequenceCount = maximumSequenceCount
        }

        fileprivate var blockCount: Int { (kvPositionCount + kvType.blockLength - 1) / kvType.blockLength }

        /// The most sequences under way at once: without exact pages as many as a step has rows.
        ///
        /// An exact position for every 16 of the pool costs a sixteenth of what these cost as half floats.
        fileprivate var sequenceCapacity: Int {
            let residual = kvType.residualLength
            guard residual > 0 else { return maximumRowCount }
            return min(maximumRowCount, maximumSequenceCount, max(1, sequenceCount, kvPositionCount / (16 * residual)))
        }
    }

    private let model: any LanguageModel
    private let step: StepContext
    private let storage: BlockKVStorage
    private let kvType: KVType

    /// The most positions a sequence may have.
    public let contextLength: Int
    /// The most sequences that may be under way at once.
    public let maximumSequenceCount: Int

    /// Reserves KV memory and buffers for a model.
    /// - Throws: `ApusError` (`outOfMemory`).
    public init(model: any LanguageModel, sizes: Sizes, compute: Compute) throws {
        self.model = model
        kvType = sizes.kvType
        contextLength = sizes.contextLength
        maximumSequenceCount = sizes.sequenceCapacity
        storage = try BlockKVStorage(
            shape: model.shape.keyValues,
            type: sizes.kvType,
            blockCount: sizes.blockCount,
            rowCapacity: sizes.maximumRowCount,
            sequenceCapacity: sizes.sequenceCapacity,
            queryHeadCount: model.shape.queryHeadCount,
            compute: compute
        )
        step = try StepContext(
            shape: model.shape,
            storage: storage,
            rowCapacity: sizes.maximumRowCount,
            logitsCapacity: sizes.maximumLogitsRowCount,
            compute: compute
        )
    }

    /// Bytes a runner of these sizes reserves for keys and values, and for activations.
    public static func byteCounts(shape: DecoderShape, sizes: Sizes) -> (keyValues: Int, activations: Int) {
        (
            sizes.blockCount * shape.keyValues.blockByteCount(sizes.kvType)
                + shape.keyValues.pageByteCount(
                    sizes.kvType,
                    sequenceCapacity: sizes.sequenceCapacity,
                    rowCapacity: sizes.maximumRowCount
                ),
            StepContext.byteCount(
                shape: shape,
                rowCapacity: sizes.maximumRowCount,
                logitsCapacity: sizes.maximumLogitsRowCount
            )
        )
    }

    /// Who sees what the matrices read during a step, if anyone.
    package var observer: (any StepObserver)? {
        get { step.observer }
        set { step.observer = newValue }
    }

    /// Logits per row.
    public var vocabularySize: Int { model.shape.vocabularySize }
    /// Positions a KV block holds.
    public var blockLength: Int { storage.blockLength }
    /// KV blocks in the pool.
    public var blockCount: Int { storage.blockCount }
    /// The most rows a step may have.
    public var maximumRowCount: Int { step.rowCapacity }
    /// The most rows of logits a step may ask for.
    public var maximumLogitsRowCount: Int { step.logitsCapacity }

    /// The pool's bytes, and what they hold.
    package var blockMemory: KVBlockMemory { storage.memory }

    /// Bytes of keys and values that one more position adds, over all layers.
    package var keyValueByteCountPerPosition: Int { model.shape.keyValues.blockByteCount(kvType) / blockLength }

    /// Computes a step; its logits stay readable until the next.
    public func run(_ plan: borrowing StepPlan) {
        step.run(model, copy plan)
    }

    /// Calls `body` with a row of logits, which it may change in place.
    public func withLogits<Result>(row: Int, _ body: (inout MutableSpan<Float>) -> Result) -> Result {
        step.logits.withRow(row, body)
    }

    /// The mean of the hidden states of all tokens, computed in steps of `maximumRowCount` rows.
    ///
    /// Uses the pool's first blocks: for runners without a scheduler.
    package func meanHiddenState(of tokens: [Int32]) -> [Float] {
        var plan = StepPlan(rowCapacity: step.rowCapacity, sliceCapacity: 1, blockCapacity: blockCount)
        let blocks = (0..<Int32(blockCount)).map { $0 }
        var sums = [Double](repeating: 0, count: model.shape.hiddenSize)
        for first in stride(from: 0, to: tokens.count, by: step.rowCapacity) {
            let chunk = tokens[first..<min(first + step.rowCapacity, tokens.count)]
            plan.removeAll()
            plan.append(tokens: chunk, position: first, logitsCount: chunk.count, blocks: blocks)
            step.run(model, plan, computesLogits: false)
            for row in 0..<chunk.count {
                step.wanted.withRow(row) { span in
                    for index in span.indices { sums[index] += Double(span[index]) }
                }
            }
        }
        return sums.map { Float($0 / Double(tokens.count)) }
    }

    /// Calls `body` with the number of each token and the logits of what follows it, computed in steps of
    /// `maximumLogitsRowCount` rows.
    ///
    /// Uses the pool's first blocks: for runners without a scheduler.
    package func forEachLogits(of tokens: ArraySlice<Int32>, _ body: (Int, inout MutableSpan<Float>) -> Void) {
        let rows = min(maximumRowCount, maximumLogitsRowCount)
        var plan = StepPlan(rowCapacity: rows, sliceCapacity: 1, blockCapacity: blockCount)
        let blocks = (0..<Int32(blockCount)).map { $0 }
        for first in stride(from: tokens.startIndex, to: tokens.endIndex, by: rows) {
            let chunk = tokens[first..<min(first + rows, tokens.endIndex)]
            plan.removeAll()
            plan.append(
                tokens: chunk,
                position: first - tokens.startIndex,
                logitsCount: chunk.count,
                blocks: blocks
            )
            run(plan)
            for row in 0..<chunk.count { withLogits(row: row) { body(first + row, &$0) } }
        }
    }
}
