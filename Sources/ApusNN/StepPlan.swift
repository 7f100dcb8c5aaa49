/// Consecutive positions of one sequence, worked on in one step: a prompt chunk, a single token, guesses to verify.
public struct StepSlice: Sendable, Equatable {
    /// Rows of the step that belong to this slice.
    public let rows: Range<Int>
    /// The first row's position in its sequence.
    public let position: Int
    /// How many of the slice's last rows want logits.
    public let logitsCount: Int
    /// Where the slice's logits start among the step's logits rows.
    public let firstLogitsRow: Int
    /// The sequence's KV blocks within `StepPlan.blocks`, in order of position, covering all positions so far.
    public let blocks: Range<Int>
    /// The sequence's number among those under way, 0 up to `StepRunning.maximumSequenceCount`: where a KV store keeps
    /// what belongs to a sequence rather than to a block.
    public let slot: Int
}

/// What one step computes: a ragged batch of slices.
///
/// There is no prefill and no decode phase, only rows.
///
/// A plan is a value that is filled again and again: `removeAll()` keeps its capacity, so a steady state allocates
/// nothing. Not thread-safe: the engine's task owns it.
public struct StepPlan: Sendable {
    /// One token id per row.
    public private(set) var tokens: [Int32] = []
    /// The slices, covering the rows in order.
    public private(set) var slices: [StepSlice] = []
    /// Block ids of all slices; each slice names its range.
    public private(set) var blocks: [Int32] = []
    /// How many rows of logits the step produces.
    public private(set) var logitsRowCount = 0

    /// Creates an empty plan with room for a step of the given size.
    public init(rowCapacity: Int, sliceCapacity: Int, blockCapacity: Int) {
        tokens.reserveCapacity(rowCapacity)
        slices.reserveCapacity(sliceCapacity)
        blocks.reserveCapacity(blockCapacity)
    }

    /// Empties the plan, keeping its memory.
    public mutating func removeAll() {
        tokens.removeAll(keepingCapacity: true)
        slices.removeAll(keepingCapacity: true)
        blocks.removeAll(keepingCapacity: true)
        logitsRowCount = 0
    }

    /// Adds the tokens of one sequence.
    /// - Parameters:
    ///   - tokens: the ids, at consecutive positions.
    ///   - position: the first token's position in its sequence.
    ///   - logitsCount: how many of the last rows want logits.
    ///   - blocks: the sequence's KV blocks, enough to hold every position up to the last row.
    ///   - slot: the sequence's number among those under way, its own from its first position to its last.
    public mutating func append(
        tokens: ArraySlice<Int32>,
        position: Int,
        logitsCount: Int,
        blocks: [Int32],
        slot: Int = 0
    ) {
        precondition(!tokens.isEmpty && logitsCount <= tokens.count)
        let slice = StepSlice(
            rows: self.tokens.count..<self.tokens.count + tokens.count,
            position: position,
            logitsCount: logitsCount,
            firstLogitsRow: logitsRowCount,
            blocks: self.blocks.count..<self.blocks.count + blocks.count,
            slot: slot
        )
        self.tokens.append(contentsOf: tokens)
        self.blocks.append(contentsOf: blocks)
        slices.append(slice)
        logitsRowCount += logitsCount
    }
}

/// Runs steps: the engine's view of a loaded model and its KV memory.
///
/// Not thread-safe: one task at a time. The engine is tested against stand-ins that conform to this.
public protocol StepRunning: AnyObject {
    /// Logits per row.
    var vocabularySize: Int { get }
    /// Positions a KV block holds.
    var blockLength: Int { get }
    /// KV blocks in the pool.
    var blockCount: Int { get }
    /// The most rows a step may have.
    var maximumRowCount: Int { get }
    /// The most positions a sequence may have.
    var contextLength: Int { get }
    /// The most sequences that may be under way at once, with blocks.
    var maximumSequenceCount: Int { get }

    /// Computes a step: stores the rows' keys and values and leaves the wanted logits readable until the next step.
    func run(_ plan: borrowing StepPlan)

    /// Calls `body` with a row of logits (`vocabularySize` floats), which it may change in place.
    func withLogits<Result>(row: Int, _ body: (inout MutableSpan<Float>) -> Result) -> Result
}

extension StepRunning {
    /// As many as a step has rows: nothing else is kept by sequence.
    public var maximumSequenceCount: Int { maximumRowCount }
}
