import Apus
import ApusEngine
import ApusNN
import ApusTensor

/// Computes the chunks of a text, one at a time, step by step.
struct ChunkReader {
    /// The most rows of a step; all may want logits.
    static let rowCount = 64

    private let runner: ModelRunner
    private var plan: StepPlan
    private let blocks: [Int32]

    /// - Throws: `ApusError` (`outOfMemory`).
    init(_ model: LoadedModel, contextLength: Int, kvType: KVType) throws {
        runner = try ModelRunner(
            model: model.model,
            sizes: ModelRunner.Sizes(
                kvPositionCount: contextLength,
                contextLength: contextLength,
                maximumRowCount: Self.rowCount,
                maximumLogitsRowCount: Self.rowCount,
                kvType: kvType,
                maximumSequenceCount: 1
            ),
            compute: model.compute
        )
        plan = StepPlan(rowCapacity: Self.rowCount, sliceCapacity: 1, blockCapacity: runner.blockCount)
        blocks = (0..<Int32(runner.blockCount)).map { $0 }
    }

    /// Who sees what the matrices read, if anyone.
    var observer: (any StepObserver)? {
        get { runner.observer }
        nonmutating set { runner.observer = newValue }
    }

    /// Computes these positions of a chunk, whose earlier ones were computed before, with logits or without.
    mutating func run(_ chunk: [Int32], positions: Range<Int>, wantsLogits: Bool) {
        plan.removeAll()
        plan.append(
            tokens: chunk[positions],
            position: positions.lowerBound,
            logitsCount: wantsLogits ? positions.count : 0,
            blocks: blocks
        )
        runner.run(plan)
    }

    /// Calls `body` with the logits of a row of the last step.
    func withLogits<Result>(row: Int, _ body: (Span<Float>) -> Result) -> Result {
        runner.withLogits(row: row) { body($0.span) }
    }
}
