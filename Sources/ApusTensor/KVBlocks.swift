import CApusKernels

/// How keys and values are stored.
public enum KVType: String, Sendable, CaseIterable {
    /// Half floats.
    case f16
    /// Bytes with a scale per 32 dimensions; scores and sums are integer dot products.
    case q8_0
    /// Two bits, keys by channel and values by position, behind up to 32 exact positions (Liu et al., "KIVI: A Tuning-Free
    /// Asymmetric 2bit Quantization for KV Cache", 2024).
    case kivi2
    /// Two bits behind up to 64 exact positions.
    case kivi2Residual64 = "kivi2:64"
    /// Two bits behind up to 128 exact positions.
    case kivi2Residual128 = "kivi2:128"
    /// Four bits behind up to 32 exact positions.
    case kivi4
    /// Four bits behind up to 64 exact positions.
    case kivi4Residual64 = "kivi4:64"
    /// Four bits behind up to 128 exact positions.
    case kivi4Residual128 = "kivi4:128"

    fileprivate var rawType: apus_kv_type {
        switch self {
        case .f16: APUS_KV_F16
        case .q8_0: APUS_KV_Q8_0
        case .kivi2, .kivi2Residual64, .kivi2Residual128: APUS_KV_KIVI2
        case .kivi4, .kivi4Residual64, .kivi4Residual128: APUS_KV_KIVI4
        }
    }

    /// The paper's R: how many positions of a sequence are kept exact, in pages of its own, until all are quantized.
    ///
    /// 0: each is stored in its block at once.
    public var residualLength: Int {
        switch self {
        case .f16, .q8_0: 0
        case .kivi2, .kivi4: 32
        case .kivi2Residual64, .kivi4Residual64: 64
        case .kivi2Residual128, .kivi4Residual128: 128
        }
    }

    /// Positions a block holds: none is kept in exact pages at its end.
    public var blockLength: Int { max(KVBlocks.partLength, residualLength) }
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

    /// Bytes of 64 positions of one layer.
    func layerByteCount(_ type: KVType) -> Int {
        Int(apus_kv_block_bytes(type.rawType, Int64(headCount), Int64(headDimension)))
    }

    /// Bytes of one block: all layers at all its positions.
    public func blockByteCount(_ type: KVType) -> Int {
        type.blockLength / KVBlocks.partLength * layerCount * layerByteCount(type)
    }

    /// Bytes of the exact pages of a type: of `sequenceCapacity` sequences, and of steps of up to `rowCapacity` rows.
    public func pageByteCount(_ type: KVType, sequenceCapacity: Int, rowCapacity: Int) -> Int {
        guard type.residualLength > 0 else { return 0 }
        return KVPages.byteCount(
            shape: self,
            residualLength: type.residualLength,
            sequenceCapacity: sequenceCapacity,
            rowCapacity: rowCapacity
        )
    }
}

/// The KV cache's memory: blocks of one or two parts of 64 positions, a part's layers side by side, and attention over
/// them.
///
/// Which block belongs to which sequence is the scheduler's business; a step names blocks by number.
/// Not thread-safe: the engine's task owns it.
package final class KVBlocks {
    /// Positions of a part: the fixed boundary of attention's partial sums (docs/numbers.md, section 6).
    static var partLength: Int { Int(APUS_KV_BLOCK) }

    package let shape: KVShape
    package let type: KVType
    package let blockCount: Int

    /// The blocks themselves.
    package let memory: KVBlockMemory
    private let layerByteCount: Int
    private let pages: KVPages?
    // Of the step at hand. With pages, a slice of the plan is cut where they are full.
    private let tables: Arena
    private let slices: UnsafeMutablePointer<apus_attention_slice>
    private let sliceCapacity: Int
    private var sliceCount = 0
    private let sliceEnds: UnsafeMutablePointer<Int>
    private var sliceEndCount = 0
    private let sliceParts: UnsafeMutablePointer<UnsafeRawPointer>
    private let slicePartCapacity: Int
    private var slicePartCount = 0
    private let rowBlocks: UnsafeMutablePointer<UnsafeMutableRawPointer>
    private let rowSlices: UnsafeMutablePointer<Int>
    package let positions: UnsafeMutablePointer<Int32>
    private let rowCapacity: Int
    private var rowCount = 0
    private let partials: UnsafeMutableRawPointer

    /// Reserves blocks, exact pages for `sequenceCapacity` sequences if the type has any, and tables for steps of up to
    /// `rowCapacity` rows.
    package init(
        shape: KVShape,
        type: KVType,
        blockCount: Int,
        rowCapacity: Int,
        sequenceCapacity: Int,
        queryHeadCount: Int
    ) throws {
        self.shape = shape
        self.type = type
        self.blockCount = blockCount
        self.rowCapacity = rowCapacity
        layerByteCount = shape.layerByteCount(type)
        memory = try KVBlockMemory(blockCount: blockCount, blockByteCount: shape.blockByteCount(type))
        pages =
            type.residualLength == 0
            ? nil
            : try KVPages(
                shape: shape,
                residualLength: type.residualLength,
                sequenceCapacity: sequenceCapacity,
                rowCapacity: rowCapacity
            )
        sliceCapacity = rowCapacity
        // Sequences may share blocks: every row's may be all of them.
        slicePartCapacity = rowCapacity * blockCount * (type.blockLength / Self.partLength)
        let partialBytes = Int(
            apus_attention_partial_bytes(
                Int64(rowCapacity),
                Int64(blockCount * type.blockLength),
                Int64(queryHeadCount),
                Int64(shape.headDimension)
            )
        )
        let tableBytes =
            Arena.roundedUp(sliceCapacity * MemoryLayout<apus_attention_slice>.stride)
            + Arena.roundedUp(slicePartCapacity * 8) + 3 * Arena.roundedUp(rowCapacity * 8)
            + Arena.roundedUp(rowCapacity * 4) + Arena.roundedUp(partialBytes)
        tables = try Arena(name: "attention tables", byteCount: tableBytes)
        slices = tables.allocate(apus_attention_slice.self, count: sliceCapacity)
        sliceEnds = tables.allocate(Int.self, count: sliceCapacity)
        sliceParts = tables.allocate(UnsafeRawPointer.self, count: slicePartCapacity)
        rowBlocks = tables.allocate(UnsafeMutableRawPointer.self, count: rowCapacity)
        rowSlices = tables.allocate(Int.self, count: rowCapacity)
        positions = tables.allocate(Int32.self, count: rowCapacity)
        partials = tables.allocate(byteCount: partialBytes)
    }

    /// Forgets the last step's slices.
    package func beginStep() {
        sliceCount = 0
        sliceEndCount = 0
        slicePartCount = 0
        rowCount = 0
        pages?.beginStep()
    }

    /// Adds rows of one sequence at consecutive positions; `blocks` are its block numbers in order of position, `slot` is
    /// where its exact pages are kept.
    package func addSlice(rowCount count: Int, position: Int, blocks: ArraySlice<Int32>, slot: Int) {
        precondition(count > 0 && rowCount + count <= rowCapacity && sliceEndCount < sliceCapacity)
        let parts = type.blockLength / Self.partLength
        precondition(slicePartCount + blocks.count * parts <= slicePartCapacity)
        precondition((position + count - 1) / type.blockLength < blocks.count)
        let table = sliceParts + slicePartCount
        for (index, block) in blocks.enumerated() {
            precondition(block >= 0 && block < blockCount)
            for part in 0..<parts {
                table[index * parts + part] = UnsafeRawPointer(
                    memory.base + (Int(block) * parts + part) * shape.layerCount * layerByteCount
                )
            }
        }
        for row in 0..<count {
            positions[rowCount + row] = Int32(position + row)
            rowBlocks[rowCount + row] = UnsafeMutableRawPointer(mutating: table[(position + row) / Self.partLength])
        }
        var done = 0
        while done < count {
            let length = type.residualLength
            let next = length == 0 ? count : min(count, done + length - (position + done) % length)
            addRows(done..<next, position: position, table: UnsafePointer(table), slot: slot)
            done = next
        }
        sliceEnds[sliceEndCount] = sliceCount
        sliceEndCount += 1
        slicePartCount += blocks.count * parts
        rowCount += count
    }

    /// Adds rows of the slice that begins at the next row: all, or those that are quantized together.
    private func addRows(_ rows: Range<Int>, position: Int, table: UnsafePointer<UnsafeRawPointer>, slot: Int) {
        let first = position + rows.lowerBound
        rowSlices[sliceCount] = rowCount + rows.lowerBound
        slices[sliceCount].rows = Int64(rows.count)
        slices[sliceCount].position = Int64(first)
        slices[sliceCount].blocks = table
        slices[sliceCount].sealed = pages.map { Int64(first - first % $0.residualLength) } ?? .max
        slices[sliceCount].pages = nil
        sliceCount += 1
        pages?.add(
            firstRow: rowCount + rows.lowerBound,
            rowCount: rows.count,
            position: first,
            slot: slot,
            table: table
        )
    }

    /// Attention from here on is for the last `count` rows of a slice.
    ///
    /// Slices are narrowed in order, all of them.
    package func keepLastRows(_ count: Int, ofSlice index: Int) {
        precondition(index < sliceEndCount)
        let parts = (index == 0 ? 0 : sliceEnds[index - 1])..<sliceEnds[index]
        if index == 0 { rowCount = 0 }
        var left = count
        for part in parts.reversed() {
            let kept = min(left, Int(slices[part].rows))
            slices[part].position += slices[part].rows - Int64(kept)
            slices[part].rows = Int64(kept)
            left -= kept
        }
        precondition(left == 0)
        for part in parts {
            rowSlices[part] = rowCount
            rowCount += Int(slices[part].rows)
        }
    }

    /// Stores the step's keys and values (rows x heads x dimension, after RoPE) in one layer.
    package func append(keys: FloatRows, values: FloatRows, layer: Int, compute: Compute) {
        precondition(layer < shape.layerCount && keys.rowCount == rowCount && values.rowCount == rowCount)
        precondition(keys.width == shape.headCount * shape.headDimension && values.width == keys.width)
        let blockOffset = layer * layerByteCount
        pages?.place(layer: layer, rows: rowBlocks, slices: slices)
        let arguments = apus_kv_append_args(
            keys: keys.base,
            values: values.base,
            key_stride: Int64(keys.stride),
            value_stride: Int64(values.stride),
            kv_heads: Int64(shape.headCount),
            head_dimension: Int64(shape.headDimension),
            positions: positions,
            blocks: rowBlocks,
            block_offset: pages == nil ? Int64(blockOffset) : 0
        )
        let kernels = KVKernels(type, compute)
        compute.elementwise(kernels.append, arguments, rows: rowCount, width: 2 * keys.width)
        if let pages, let seal = kernels.seal {
            pages.seal(shape: shape, blockOffset: blockOffset, kernel: seal, compute: compute)
        }
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
        var mostRows: Int64 = 0
        for index in 0..<sliceCount {
            mostRows = max(mostRows, slices[index].rows)
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
        let units = Int(apus_attend_units(&arguments))
        // Few rows of every slice read keys and values once, prefetching from unit to unit; many rows of one compute, and
        // unevenly under the mask.
        let attend = KVKernels(type, compute).attend
        compute.pool.run(attend, arguments, count: units, split: mostRows <= 8 ? .runs() : .claims(grain: 1))
        let merges = Int(apus_merge_units(&arguments))
        compute.pool.run(
            compute.kernels.raw.pointee.attention.merge,
            arguments,
            count: merges,
            split: .claims(grain: 8)
        )
    }
}

/// The kernels of a type: C's tables are tuples here.
private struct KVKernels {
    let append: apus_range_kernel
    let seal: apus_range_kernel?
    let attend: apus_range_kernel

    init(_ type: KVType, _ compute: Compute) {
        let table = compute.kernels.raw.pointee.attention
        switch type {
        case .f16: (append, seal, attend) = (table.append.0, table.seal.0, table.attend.0)
        case .q8_0: (append, seal, attend) = (table.append.1, table.seal.1, table.attend.1)
        case .kivi2, .kivi2Residual64, .kivi2Residual128:
            (append, seal, attend) = (table.append.2, table.seal.2, table.attend.2)
        case .kivi4, .kivi4Residual64, .kivi4Residual128:
            (append, seal, attend) = (table.append.3, table.seal.3, table.attend.3)
        }
    }
}
