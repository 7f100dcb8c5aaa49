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

    /// Elementwise work below this many elements is not worth handing over.
    private static let smallestShare = 16_384

    private func elementwise<Arguments: BitwiseCopyable>(
        _ kernel: @escaping apus_range_kernel,
        _ arguments: Arguments,
        rows: Int,
        width: Int
    ) {
        let grain = max(1, Self.smallestShare / max(1, width))
        pool.run(kernel, arguments, count: rows, split: .claims(grain: grain))
    }

    // MARK: Linear layers

    /// Turns rows into the panels that matrices read.
    package func prepare(_ input: FloatRows, as kind: apus_activation, into panels: UnsafeMutableRawPointer) {
        let arguments = apus_prepare_args(
            input: input.base,
            input_stride: Int64(input.stride),
            rows: Int64(input.rowCount),
            inputs: Int64(input.width),
            panels: panels
        )
        let panelRows = Int(apus_panel_rows(kind))
        let kernel =
            kind == APUS_ACTIVATION_Q8 ? kernels.raw.pointee.linear.prepare.0 : kernels.raw.pointee.linear.prepare.1
        let panelCount = (input.rowCount + panelRows - 1) / panelRows
        elementwise(kernel, arguments, rows: panelCount, width: panelRows * input.width)
    }

    /// Several matrices with one input, as one operation: their tiles form one list of units.
    package func matmul(_ group: borrowing MatmulGroup, rows: Int) {
        // Up to eight rows a matmul streams its weights; above, it computes.
        let split: WorkSplit = rows <= 8 ? .runs : .claims(grain: 4)
        pool.run(matmulGroupKernel, group, count: group.tileCount, split: split)
    }

    // MARK: Elementwise

    /// output = RMS-normalized input times weight; added to output with `accumulates`.
    package func rmsNorm(
        _ input: FloatRows,
        weight: UnsafePointer<Float>,
        epsilon: Float,
        into output: FloatRows,
        accumulates: Bool = false
    ) {
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
        elementwise(kernels.raw.pointee.elementwise.rms_norm, arguments, rows: input.rowCount, width: input.width)
    }

    /// output = activation(gate) times up.
    package func gate(_ gate: FloatRows, _ up: FloatRows, activation: GateActivation, into output: FloatRows) {
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
        elementwise(activation == .silu ? table.0 : table.1, arguments, rows: gate.rowCount, width: gate.width)
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
package struct MatmulGroup: BitwiseCopyable {
    fileprivate struct Part: BitwiseCopyable {
        let arguments: apus_matmul_args
        let kernel: apus_range_kernel
        let tileCount: Int
    }

    private var first: Part?
    private var second: Part?
    private var third: Part?
    package private(set) var tileCount = 0
    private var partCount = 0

    package init() {}

    /// Adds a matrix: `output` gets (or, accumulating, is increased by) its product with the prepared rows.
    package mutating func append(
        _ matrix: PackedMatrix,
        panels: UnsafeRawPointer,
        output: FloatRows,
        bias: UnsafePointer<Float>?,
        accumulates: Bool
    ) {
        precondition(output.width == matrix.outputCount)
        let part = Part(
            arguments: apus_matmul_args(
                weights: UnsafeRawPointer(matrix.weights),
                outputs: Int64(matrix.outputCount),
                inputs: Int64(matrix.inputCount),
                panels: panels,
                rows: Int64(output.rowCount),
                output: output.base,
                output_stride: Int64(output.stride),
                bias: bias,
                accumulates: accumulates ? 1 : 0
            ),
            kernel: matrix.format.matmul,
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

    /// Runs the tiles `begin ..< end` of the joint list.
    fileprivate func run(_ begin: Int, _ end: Int, scratch: UnsafeMutableRawPointer) {
        var offset = 0
        run(first, &offset, begin, end, scratch)
        run(second, &offset, begin, end, scratch)
        run(third, &offset, begin, end, scratch)
    }

    private func run(_ part: Part?, _ offset: inout Int, _ begin: Int, _ end: Int, _ scratch: UnsafeMutableRawPointer) {
        guard let part else { return }
        let lower = max(begin - offset, 0)
        let upper = min(end - offset, part.tileCount)
        offset += part.tileCount
        guard lower < upper else { return }
        withUnsafePointer(to: part.arguments) { part.kernel($0, Int64(lower), Int64(upper), scratch) }
    }
}

private let matmulGroupKernel: apus_range_kernel = { arguments, begin, end, scratch in
    arguments.assumingMemoryBound(to: MatmulGroup.self).pointee.run(Int(begin), Int(end), scratch: scratch)
}
