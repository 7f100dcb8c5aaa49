public import ApusTensor

/// Where a model's keys and values live, and the attention over them: a store does its own attention, so that nobody
/// needs to know its format.
///
/// A step is begun once with its plan, then each layer appends and attends. Blocks belong to sequences by number, as
/// the plan says; truncating a sequence is giving its last blocks back. Not thread-safe: the engine's task owns it.
public protocol KVStorage: AnyObject {
    /// Positions a block holds.
    var blockLength: Int { get }
    /// Blocks in the pool.
    var blockCount: Int { get }

    /// Starts a step over the plan's slices.
    func beginStep(_ plan: borrowing StepPlan)

    /// Stores the step's keys and values, both rows x heads x dimension after RoPE, in a layer.
    func append(keys: FloatRows, values: FloatRows, layer: Int)

    /// From here to the end of the step, queries are only those of the rows whose logits are wanted.
    func narrowToWantedRows(_ plan: borrowing StepPlan)

    /// Attention of the step's queries over a layer, into `output` (both rows x query heads x dimension).
    /// - Parameters:
    ///   - scale: what scores are multiplied by.
    ///   - window: 0, or how many of the last positions a row sees.
    func attend(query: FloatRows, output: FloatRows, layer: Int, scale: Float, window: Int)
}

/// Keys and values in blocks of 64 or 128 positions, as half floats, bytes or less.
public final class BlockKVStorage: KVStorage {
    private let blocks: KVBlocks
    private let compute: Compute

    /// Reserves the blocks.
    /// - Parameters:
    ///   - shape: the model's KV shape.
    ///   - type: how keys and values are stored.
    ///   - blockCount: blocks in the pool.
    ///   - rowCapacity: the most rows a step may have.
    ///   - sequenceCapacity: the most sequences under way at once, for types with exact pages.
    ///   - queryHeadCount: query heads per layer.
    /// - Throws: `ApusError` (`outOfMemory`).
    public init(
        shape: KVShape,
        type: KVType,
        blockCount: Int,
        rowCapacity: Int,
        sequenceCapacity: Int,
        queryHeadCount: Int,
        compute: Compute
    ) throws {
        self.compute = compute
        blocks = try KVBlocks(
            shape: shape,
            type: type,
            blockCount: blockCount,
            rowCapacity: rowCapacity,
            sequenceCapacity: sequenceCapacity,
            queryHeadCount: queryHeadCount
        )
    }

    /// The blocks' bytes.
    package var memory: KVBlockMemory { blocks.memory }
    /// Positions a block holds.
    public var blockLength: Int { blocks.type.blockLength }
    /// Blocks in the pool.
    public var blockCount: Int { blocks.blockCount }

    /// Starts a step over the plan's slices.
    public func beginStep(_ plan: borrowing StepPlan) {
        blocks.beginStep()
        for slice in plan.slices {
            blocks.addSlice(
                rowCount: slice.rows.count,
                position: slice.position,
                blocks: plan.blocks[slice.blocks],
                slot: slice.slot
            )
        }
    }

    /// Keeps the wanted rows of the plan's slices.
    public func narrowToWantedRows(_ plan: borrowing StepPlan) {
        for (index, slice) in plan.slices.enumerated() { blocks.keepLastRows(slice.logitsCount, ofSlice: index) }
    }

    /// Stores the step's keys and values in a layer.
    public func append(keys: FloatRows, values: FloatRows, layer: Int) {
        blocks.append(keys: keys, values: values, layer: layer, compute: compute)
    }

    /// Attention of the step's queries over a layer.
    public func attend(query: FloatRows, output: FloatRows, layer: Int, scale: Float, window: Int) {
        blocks.attend(query: query, output: output, layer: layer, scale: scale, window: window, compute: compute)
    }
}
