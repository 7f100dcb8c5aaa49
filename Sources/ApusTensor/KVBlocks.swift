import CApusKernels

/// How keys and values are stored.
public enum KVType: String, Sendable, CaseIterable {
    /// Half floats.
    case f16
    /// Bytes with a scale per 32 dimensions; scores and sums are integer dot products.
    case q8_0

    fileprivate var rawType: apus_kv_type {
        switch self {
        case .f16: APUS_KV_F16
        case .q8_0: APUS_KV_Q8_0
        }
    }
}

/// The shape of a model's KV cache.
public struct KVShape: Sendable, Equatable {
    /// Layers that keep keys and values.
    public let layerCount: Int
    /// Key-value heads per layer.
    public let headCount: Int
    /// Dimensions of a head.
    public let headDimension: Int

    /// Creates a shape.
    public init(layerCount: Int, headCount: Int, headDimension: Int) {
        self.layerCount = layerCount
        self.headCount = headCount
        self.headDimension = headDimension
    }

    /// Positions a block holds: the fixed boundary of attention's partial sums (docs/numbers.md, section 6).
    public static var blockLength: Int { Int(APUS_KV_BLOCK) }

    /// Bytes of one block of one layer.
    public func layerByteCount(_ type: KVType) -> Int {
        Int(apus_kv_block_bytes(type.rawType, Int64(headCount), Int64(headDimension)))
    }

    /// Bytes of one block: all layers at 64 positions.
    public func blockByteCount(_ type: KVType) -> Int { layerCount * layerByteCount(type) }
}

/// The KV cache's memory: blocks of 64 positions, a block's layers side by side, and attention over them.
///
/// Which block belongs to which sequence is the scheduler's business; a step names blocks by number.
/// Not thread-safe: the engine's task owns it.
package final class KVBlocks {
    package let shape: KVShape
    package let type: KVType
    package let blockCount: Int

    /// The blocks themselves.
    package let memory: KVBlockMemory
    private let layerByteCount: Int
    // Of the step at hand.
    private let tables: Arena
    private let slices: UnsafeMutablePointer<apus_attention_slice>
    private let sliceCapacity: Int
    private var sliceCount = 0
    private let sliceBlocks: UnsafeMutablePointer<UnsafeRawPointer>
    private let sliceBlockCapacity: Int
    private var sliceBlockCount = 0
    private let rowBlocks: UnsafeMutablePointer<UnsafeMutableRawPointer>
    private let rowSlices: UnsafeMutablePointer<Int>
    package let positions: UnsafeMutablePointer<Int32>
    private let rowCapacity: Int
    private var rowCount = 0
    private let partials: UnsafeMutableRawPointer

    /// Reserves blocks, and tables for steps of up to `rowCapacity` rows.
    package init(
        shape: KVShape,
        type: KVType,
        blockCount: Int,
        rowCapacity: Int,
        queryHeadCount: Int
    ) throws {
        self.shape = shape
        self.type = type
        self.blockCount = blockCount
        self.rowCapacity = rowCapacity
        layerByteCount = shape.layerByteCount(type)
        memory = try KVBlockMemory(blockCount: blockCount, blockByteCount: shape.blockByteCount(type))
        sliceCapacity = rowCapacity
        sliceBlockCapacity = blockCount + rowCapacity
        let partialBytes = Int(
            apus_attention_partial_bytes(
                Int64(rowCapacity),
                Int64(blockCount * KVShape.blockLength),
                Int64(queryHeadCount),
                Int64(shape.headDimension)
            )
        )
        let tableBytes =
            Arena.roundedUp(sliceCapacity * MemoryLayout<apus_attention_slice>.stride)
            + Arena.roundedUp(sliceBlockCapacity * 8) + 2 * Arena.roundedUp(rowCapacity * 8)
            + Arena.roundedUp(rowCapacity * 4) + Arena.roundedUp(partialBytes)
        tables = try Arena(name: "attention tables", byteCount: tableBytes)
        slices = tables.allocate(apus_attention_slice.self, count: sliceCapacity)
        sliceBlocks = tables.allocate(UnsafeRawPointer.self, count: sliceBlockCapacity)
        rowBlocks = tables.allocate(UnsafeMutableRawPointer.self, count: rowCapacity)
        rowSlices = tables.allocate(Int.self, count: rowCapacity)
        positions = tables.allocate(Int32.self, count: rowCapacity)
        partials = tables.allocate(byteCount: partialBytes)
    }

    /// Forgets the last step's slices.
    package func beginStep() {
        sliceCount = 0
        sliceBlockCount = 0
        rowCount = 0
    }

    /// Adds rows of one sequence at consecutive positions; `blocks` are its block numbers in order of position.
    package func addSlice(rowCount count: Int, position: Int, blocks: ArraySlice<Int32>) {
        precondition(count > 0 && rowCount + count <= rowCapacity && sliceCount < sliceCapacity)
        precondition(sliceBlockCount + blocks.count <= sliceBlockCapacity)
        precondition((position + count - 1) / KVShape.blockLength < blocks.count)
        let table = sliceBlocks + sliceBlockCount
        for (index, block) in blocks.enumerated() {
            precondition(block >= 0 && block < blockCount)
            table[index] = UnsafeRawPointer(memory.base + Int(block) * memory.blockByteCount)
        }
        for row in 0..<count {
            positions[rowCount + row] = Int32(position + row)
            rowBlocks[rowCount + row] = UnsafeMutableRawPointer(
                mutating: table[(position + row) / KVShape.blockLength]
            )
        }
        rowSlices[sliceCount] = rowCount
        slices[sliceCount].rows = Int64(count)
        slices[sliceCount].position = Int64(position)
        slices[sliceCount].blocks = UnsafePointer(table)
        sliceBlockCount += blocks.count
        sliceCount += 1
        rowCount += count
    }

    /// Attention from here on is for the last `count` rows of a slice.
    ///
    /// Slices are narrowed in order, all of them.
    package func keepLastRows(_ count: Int, ofSlice index: Int) {
        precondition(index < sliceCount && count <= Int(slices[index].rows))
        if index == 0 { rowCount = 0 }
        slices[index].position += slices[index].rows - Int64(count)
        slices[index].rows = Int64(count)
        rowSlices[index] = rowCount
        rowCount += count
    }

    /// Stores the step's keys and values (rows x heads x dimension, after RoPE) in one layer.
    package func append(keys: FloatRows, values: FloatRows, layer: Int, compute: Compute) {
        precondition(layer < shape.layerCount && keys.rowCount == rowCount && values.rowCount == rowCount)
        precondition(keys.width == shape.headCount * shape.headDimension && values.width == keys.width)
        let arguments = apus_kv_append_args(
            keys: keys.base,
            values: values.base,
            key_stride: Int64(keys.stride),
            value_stride: Int64(values.stride),
            kv_heads: Int64(shape.headCount),
            head_dimension: Int64(shape.headDimension),
            positions: positions,
            blocks: rowBlocks,
            block_offset: Int64(layer * layerByteCount)
        )
        let table = compute.kernels.raw.pointee.attention.append
        let grain = max(1, 16_384 / keys.width)
        compute.pool.run(type == .f16 ? table.0 : table.1, arguments, count: rowCount, split: .claims(grain: grain))
    }

    /// Attention of the step's queries over one layer's keys and values.
    package func attend(
        query: FloatRows,
        output: FloatRows,
        layer: Int,
        scale: Float,
        window: Int,
        compute: Compute
    ) {
        precondition(query.rowCount == rowCount && output.rowCount == rowCount && query.width == output.width)
        for index in 0..<sliceCount {
            slices[index].query = UnsafePointer(query.base + rowSlices[index] * query.stride)
            slices[index].output = output.base + rowSlices[index] * output.stride
            slices[index].block_offset = Int64(layer * layerByteCount)
        }
        var arguments = apus_attention_args(
            slices: slices,
            slice_count: Int64(sliceCount),
            query_stride: Int64(query.stride),
            output_stride: Int64(output.stride),
            query_heads: Int64(query.width / shape.headDimension),
            kv_heads: Int64(shape.headCount),
            head_dimension: Int64(shape.headDimension),
            scale: scale,
            window: Int64(window),
            partials: partials
        )
        let kernels = compute.kernels.raw.pointee.attention
        let attend = type == .f16 ? kernels.attend.0 : kernels.attend.1
        let units = Int(apus_attend_units(&arguments))
        // Few rows read keys and values once, prefetching from unit to unit; many rows compute, unevenly under the mask.
        compute.pool.run(attend, arguments, count: units, split: rowCount <= 8 ? .runs : .claims(grain: 1))
        let merges = Int(apus_merge_units(&arguments))
        compute.pool.run(kernels.merge, arguments, count: merges, split: .claims(grain: 8))
    }
}
