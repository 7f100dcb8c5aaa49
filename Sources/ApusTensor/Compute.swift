package import CApusKernels

/// What operations run on: a kernel table and the threads.
///
/// Every operation checks its shapes, describes itself in a C struct on the stack and hands units to the threads;
/// nothing is allocated. Not thread-safe: the engine's task owns it.
public final class Compute {
    /// The kernels in use.
    public let kernels: KernelTable
    package let pool: WorkerPool

    /// Creates a compute context.
    /// - Parameters:
    ///   - tier: the kernel tier; by default what `APUS_KERNELS` says, or the best.
    ///   - threadCount: compute threads, by default as many as affinity and CPU quota allow.
    /// - Throws: `ApusError` if the tier is unknown or cannot run here.
    public init(tier: KernelTier? = nil, threadCount: Int = ProcessorCount.available) throws {
        kernels = try KernelTable(tier: tier ?? KernelTier.fromEnvironment())
        pool = try WorkerPool(threadCount: threadCount)
    }

    /// Bytes of scratch memory per thread.
    public static var scratchByteCount: Int { Int(APUS_SCRATCH_BYTES) }

    /// Compute threads, the caller included.
    public var threadCount: Int { pool.threadCount }

    /// Elements that a thread takes at a time: fewer are not worth handing over, more come to no end together.
    private static let elementwiseShare = 4_096...16_384

    /// Runs a kernel whose units are rows of `width` elements.
    package func elementwise<Arguments: BitwiseCopyable>(
        _ kernel: @escaping apus_range_kernel,
        _ arguments: Arguments,
        rows: Int,
        width: Int
    ) {
        let (smallest, largest) = (Self.elementwiseShare.lowerBound, Self.elementwiseShare.upperBound)
        let threadShare = rows * width / threadCount
        // Many rows stay with the thread that multiplies them: they are in its core's cache.
        let split: WorkSplit =
            threadShare >= 4 * largest
            ? .runs() : .claims(grain: max(1, min(max(threadShare, smallest), largest) / max(1, width)))
        pool.run(kernel, arguments, count: rows, split: split)
    }

    // MARK: Linear layers

    /// Turns rows into the panels that matrices read, panel by panel: rows an operation makes first are still in the
    /// cache when they are read.
    package func prepare(_ input: MatmulInput, as kind: apus_activation, into panels: UnsafeMutableRawPointer) {
        let rows = input.rows
        let prepare = kernels.raw.pointee.linear.prepare
        let panelRows = Int(apus_panel_rows(kind, Int64(rows.rowCount)))
        let job = PrepareJob(
            operation: input.operation,
            kernel: kind == APUS_ACTIVATION_Q8 ? prepare.0 : prepare.1,
            arguments: apus_prepare_args(
                input: rows.base,
                input_stride: Int64(rows.stride),
                rows: Int64(rows.rowCount),
                inputs: Int64(rows.width),
                panels: panels,
                panel_rows: Int64(panelRows)
            )
        )
        let panelCount = (rows.rowCount + panelRows - 1) / panelRows
        elementwise(prepareJobKernel, job, rows: panelCount, width: panelRows * rows.width)
    }

    /// Several matrices with one input, as one operation: their tiles form one list of units.
    package func matmul(_ group: consuming MatmulGroup) {
        let split = group.spread(over: threadCount)
        pool.run(matmulGroupKernel, group, count: group.unitCount, split: split)
    }

    /// What quantizing leaves of each row (docs/numbers.md, section 3), for rows that are few.
    package func quantizationRest(of input: FloatRows, into rest: FloatRows) {
        precondition(input.rowCount == rest.rowCount && input.width == rest.width && input.width % 32 == 0)
        for row in 0..<input.rowCount {
            apus_quantization_rest(input.base + row * input.stride, Int64(input.width), rest.base + row * rest.stride)
        }
    }

    /// Adds each row of `other` to the same row of `rows`.
    package func add(_ other: FloatRows, to rows: FloatRows) {
        precondition(other.rowCount == rows.rowCount && other.width == rows.width)
        let work = AddedRows(add: kernels.raw.pointee.elementwise.add, target: rows, source: other)
        elementwise(addRows, work, rows: rows.rowCount, width: rows.width)
    }

    // MARK: Elementwise

    /// output = RMS-normalized input times weight, or is increased by it with `accumulates`.
    package func rmsNorm(
        _ input: FloatRows,
        weight: UnsafePointer<Float>,
        epsilon: Float,
        into output: FloatRows,
        accumulates: Bool = false
    ) -> RowOperation {
        precondition(input.rowCount == output.rowCount && input.width == output.width)
        let arguments = apus_rms_norm_args(
            input: input.base,
            input_stride: Int64(input.stride),
            weight: weight,
            output: output.base,
            output_stride: Int64(output.stride),
            length: Int64(input.width),
            epsilon: epsilon,
            accumulates: accumulates ? 1 : 0
        )
        return RowOperation(output: output, work: .rmsNorm(kernels.raw.pointee.elementwise.rms_norm, arguments))
    }

    /// output = activation(gate) times up.
    package func gate(
        _ gate: FloatRows,
        _ up: FloatRows,
        activation: GateActivation,
        into output: FloatRows
    ) -> RowOperation {
        precondition(gate.rowCount == up.rowCount && gate.width == up.width)
        precondition(gate.rowCount == output.rowCount && gate.width == output.width)
        let arguments = apus_gate_args(
            gate: gate.base,
            up: up.base,
            output: output.base,
            gate_stride: Int64(gate.stride),
            up_stride: Int64(up.stride),
            output_stride: Int64(output.stride),
            length: Int64(gate.width)
        )
        let table = kernels.raw.pointee.elementwise.gate
        return RowOperation(output: output, work: .gate(activation == .silu ? table.0 : table.1, arguments))
    }

    /// Runs an operation over all its rows.
    package func run(_ operation: RowOperation) {
        elementwise(rowOperationKernel, operation, rows: operation.output.rowCount, width: operation.output.width)
    }

    /// Multiplies every element by a factor.
    package func scale(_ rows: FloatRows, by factor: Float) {
        for row in 0..<rows.rowCount {
            kernels.raw.pointee.elementwise.scale(rows.base + row * rows.stride, factor, Int64(rows.width))
        }
    }

    /// Sines and cosines of the given positions.
    package func rotaryTable(_ table: RotaryTable, positions: UnsafePointer<Int32>, rowCount: Int) {
        let arguments = apus_rope_table_args(
            positions: positions,
            inverse_frequencies: table.inverseFrequencies,
            magnitude: table.magnitude,
            cosines: table.cosines.base,
            sines: table.sines.base,
            pairs: Int64(table.pairCount)
        )
        elementwise(kernels.raw.pointee.elementwise.rope_table, arguments, rows: rowCount, width: table.pairCount * 16)
    }

    /// Rotates the heads of every row in place.
    package func rotate(_ rows: FloatRows, headDimension: Int, table: RotaryTable, style: RotaryStyle) {
        let arguments = apus_rope_args(
            data: rows.base,
            stride: Int64(rows.stride),
            heads: Int64(rows.width / headDimension),
            head_dimension: Int64(headDimension),
            pairs: Int64(table.pairCount),
            cosines: table.cosines.base,
            sines: table.sines.base,
            style: style == .interleaved ? APUS_ROPE_INTERLEAVED : APUS_ROPE_HALVES
        )
        elementwise(kernels.raw.pointee.elementwise.rope, arguments, rows: rows.rowCount, width: rows.width)
    }
}

/// An elementwise operation, described but not run: a matmul runs it on the rows that it is about to read.
package struct RowOperation: BitwiseCopyable {
    fileprivate enum Work: BitwiseCopyable {
        case rmsNorm(apus_range_kernel, apus_rms_norm_args)
        case gate(apus_range_kernel, apus_gate_args)
    }

    /// Where the results go.
    package let output: FloatRows
    fileprivate let work: Work

    /// Runs the rows `begin ..< end`.
    fileprivate func run(_ begin: Int64, _ end: Int64, _ scratch: UnsafeMutableRawPointer) {
        switch work {
        case .rmsNorm(let kernel, let arguments): withUnsafePointer(to: arguments) { kernel($0, begin, end, scratch) }
        case .gate(let kernel, let arguments): withUnsafePointer(to: arguments) { kernel($0, begin, end, scratch) }
        }
    }
}

private let rowOperationKernel: apus_range_kernel = { arguments, begin, end, scratch in
    arguments.assumingMemoryBound(to: RowOperation.self).pointee.run(begin, end, scratch)
}

/// The rows a matmul reads: as they stand, or as an operation makes them.
package struct MatmulInput {
    package let rows: FloatRows
    fileprivate let operation: RowOperation?

    /// Rows as they stand.
    package init(_ rows: FloatRows) {
        self.rows = rows
        operation = nil
    }

    /// What `operation` makes, once.
    package init(_ operation: RowOperation) {
        rows = operation.output
        self.operation = operation
    }

    /// The rows once their operation has run.
    package var made: MatmulInput { MatmulInput(rows) }
}

/// An operation and the panels made of its rows.
private struct PrepareJob: BitwiseCopyable {
    let operation: RowOperation?
    let kernel: apus_range_kernel
    let arguments: apus_prepare_args

    func run(_ begin: Int64, _ end: Int64, _ scratch: UnsafeMutableRawPointer) {
        for panel in begin..<end {
            let first = panel * arguments.panel_rows
            operation?.run(first, min(first + arguments.panel_rows, arguments.rows), scratch)
            withUnsafePointer(to: arguments) { kernel($0, panel, panel + 1, scratch) }
        }
    }
}

private struct AddedRows: BitwiseCopyable {
    let add: @convention(c) (UnsafeMutablePointer<Float>, UnsafePointer<Float>, Int64) -> Void
    let target: FloatRows
    let source: FloatRows
}

private let addRows: apus_range_kernel = { arguments, begin, end, _ in
    let work = arguments.load(as: AddedRows.self)
    for row in Int(begin)..<Int(end) {
        work.add(
            work.target.base + row * work.target.stride,
            work.source.base + row * work.source.stride,
            Int64(work.target.width)
        )
    }
}

private let prepareJobKernel: apus_range_kernel = { arguments, begin, end, scratch in
    arguments.assumingMemoryBound(to: PrepareJob.self).pointee.run(begin, end, scratch)
}

/// The activation of a gated MLP.
public enum GateActivation: Sendable {
    /// x times sigmoid(x) (Ramachandran et al., "Searching for Activation Functions").
    case silu
    /// The tanh form of GELU (Hendrycks and Gimpel, "Gaussian Error Linear Units").
    case gelu
}

/// Which two dimensions of a head rotate together.
public enum RotaryStyle: Sendable {
    /// `(2i, 2i + 1)`: GGUF's llama family.
    case interleaved
    /// `(i, i + d/2)`: everyone else.
    case halves
}

/// Sines and cosines for the rows of a step, and the frequencies they come from.
package struct RotaryTable {
    package let inverseFrequencies: UnsafePointer<Double>
    package let pairCount: Int
    package let magnitude: Float
    package let cosines: FloatRows
    package let sines: FloatRows

    /// Makes room for `rowCapacity` rows in an arena.
    package init(inverseFrequencies: [Double], magnitude: Float, rowCapacity: Int, arena: Arena) {
        let copy = arena.allocate(Double.self, count: inverseFrequencies.count)
        for (index, value) in inverseFrequencies.enumerated() { copy[index] = value }
        self.inverseFrequencies = UnsafePointer(copy)
        pairCount = inverseFrequencies.count
        self.magnitude = magnitude
        cosines = arena.allocateRows(rowCapacity, width: pairCount)
        sines = arena.allocateRows(rowCapacity, width: pairCount)
    }

    /// Bytes `init` takes from an arena.
    package static func byteCount(pairCount: Int, rowCapacity: Int) -> Int {
        Arena.roundedUp(pairCount * 8) + 2 * Arena.roundedUp(rowCapacity * pairCount * 4)
    }
}

/// Up to three matrices that read the same prepared rows.
///
/// A unit is a tile of outputs for a block of rows. All tiles of a block come before the next block: its panels stay in
/// the second-level cache while the weights pass by. Where each thread has blocks of its own, it finds the rows that it
/// prepared there, and what it leaves there is read by itself: caches that threads don't share exchange less.
package struct MatmulGroup: BitwiseCopyable {
    fileprivate struct Part: BitwiseCopyable {
        let arguments: apus_matmul_args
        let kernel: apus_range_kernel
        let activation: apus_activation
        let tileCount: Int

        /// The arguments for the rows from `first` on, at most `count`.
        func arguments(first: Int, count: Int) -> apus_matmul_args {
            var arguments = arguments
            arguments.rows = min(Int64(count), arguments.rows - Int64(first))
            arguments.panels += Int(apus_panel_offset(activation, Int64(first), arguments.inputs))
            arguments.output += first * Int(arguments.output_stride)
            return arguments
        }
    }

    /// Rows of a block: whole panels of every kind of activation.
    ///
    /// Blocks of a thread's own have the lower bound at least, as each thread reads all weights.
    private static let blockRowCounts = 144...288

    /// Rows of the output.
    package let rowCount: Int
    private var first: Part?
    private var second: Part?
    private var third: Part?
    private var tileCount = 0
    private var partCount = 0
    private var blockRowCount = blockRowCounts.upperBound

    package init(rowCount: Int) {
        self.rowCount = rowCount
    }

    fileprivate var unitCount: Int { (rowCount + blockRowCount - 1) / blockRowCount * tileCount }

    /// How the units go to the threads; where rows allow it, each thread gets equally many blocks of its own.
    fileprivate mutating func spread(over threadCount: Int) -> WorkSplit {
        let (lower, upper) = (Self.blockRowCounts.lowerBound, Self.blockRowCounts.upperBound)
        guard rowCount > Int(APUS_RUN_ROWS) else { return .runs() }
        guard rowCount >= threadCount * lower else { return .claims(grain: 4) }
        let blockCount = (rowCount + threadCount * upper - 1) / (threadCount * upper) * threadCount
        let panel = Int(apus_panel_rows(APUS_ACTIVATION_F32, Int64(rowCount)))
        blockRowCount = ((rowCount + blockCount - 1) / blockCount + panel - 1) / panel * panel
        return .runs(grain: 4)
    }

    /// Adds a matrix: `output` gets (or, accumulating, is increased by) its product with the prepared rows.
    package mutating func append(
        _ matrix: PackedMatrix,
        panels: UnsafeRawPointer,
        output: FloatRows,
        bias: UnsafePointer<Float>?,
        accumulates: Bool
    ) {
        precondition(output.width == matrix.outputCount && output.rowCount == rowCount)
        let part = Part(
            arguments: apus_matmul_args(
                weights: UnsafeRawPointer(matrix.weights),
                outputs: Int64(matrix.outputCount),
                inputs: Int64(matrix.inputCount),
                panels: panels,
                panel_rows: apus_panel_rows(matrix.format.activation, Int64(rowCount)),
                rows: Int64(rowCount),
                output: output.base,
                output_stride: Int64(output.stride),
                bias: bias,
                accumulates: accumulates ? 1 : 0
            ),
            kernel: matrix.format.matmul,
            activation: matrix.format.activation,
            tileCount: matrix.tileCount
        )
        switch partCount {
        case 0: first = part
        case 1: second = part
        case 2: third = part
        default: preconditionFailure("a group has at most three matrices")
        }
        partCount += 1
        tileCount += matrix.tileCount
    }

    /// Runs the units `begin ..< end`.
    fileprivate func run(_ begin: Int, _ end: Int, scratch: UnsafeMutableRawPointer) {
        for block in begin / tileCount...(end - 1) / tileCount {
            let tiles = max(begin - block * tileCount, 0)..<min(end - block * tileCount, tileCount)
            var offset = 0
            run(first, block, &offset, tiles, scratch)
            run(second, block, &offset, tiles, scratch)
            run(third, block, &offset, tiles, scratch)
        }
    }

    private func run(
        _ part: Part?,
        _ block: Int,
        _ offset: inout Int,
        _ tiles: Range<Int>,
        _ scratch: UnsafeMutableRawPointer
    ) {
        guard let part else { return }
        let lower = max(tiles.lowerBound - offset, 0)
        let upper = min(tiles.upperBound - offset, part.tileCount)
        offset += part.tileCount
        guard lower < upper else { return }
        let arguments = part.arguments(first: block * blockRowCount, count: blockRowCount)
        withUnsafePointer(to: arguments) { part.kernel($0, Int64(lower), Int64(upper), scratch) }
    }
}

private let matmulGroupKernel: apus_range_kernel = { arguments, begin, end, scratch in
    arguments.assumingMemoryBound(to: MatmulGroup.self).pointee.run(Int(begin), Int(end), scratch: scratch)
}
