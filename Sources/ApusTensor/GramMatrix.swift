import ApusCore
import CApusKernels

/// The sums of products of columns over many rows, XᵀX.
///
/// Each element is one chain of fused multiply-adds over a step's rows in ascending order (docs/numbers.md, section 4), which
/// is added to those of the steps before, so neither tiers nor threads change a bit. Not thread-safe.
package final class GramMatrix {
    /// How many columns, and rows of the matrix.
    package let size: Int
    /// The lower triangle, diagonal included; what is above means nothing.
    package let elements: FloatRows
    /// Rows that were added.
    package private(set) var rowCount = 0
    private let rowCapacity: Int
    private let format: apus_format
    private let tiles: UnsafeMutableRawPointer
    private let panels: UnsafeMutableRawPointer
    private let compute: Compute
    private let arena: Arena

    /// Zeros.
    /// - Parameters:
    ///   - size: how many columns the rows have.
    ///   - rowCapacity: the most rows that are added at once.
    /// - Throws: `ApusError` (`outOfMemory`).
    package init(size: Int, rowCapacity: Int, compute: Compute) throws {
        self.size = size
        self.rowCapacity = rowCapacity
        self.compute = compute
        format = compute.kernels.format(of: .f32)
        let tileRows = Int(format.tile_rows)
        let tileByteCount = (size + tileRows - 1) / tileRows * Int(format.tile_bytes(Int64(rowCapacity)))
        let panelByteCount = Int(apus_activation_bytes(APUS_ACTIVATION_F32, Int64(size), Int64(rowCapacity)))
        arena = try Arena(
            name: "sums of products",
            byteCount: Arena.roundedUp(size * size * MemoryLayout<Float>.stride) + Arena.roundedUp(tileByteCount)
                + Arena.roundedUp(panelByteCount)
        )
        elements = arena.allocateRows(size, width: size)
        tiles = arena.allocate(byteCount: tileByteCount)
        panels = arena.allocate(byteCount: panelByteCount)
    }

    /// Adds the products of the rows' columns.
    package func add(_ rows: FloatRows) {
        precondition(rows.width == size && rows.rowCount <= rowCapacity)
        let columns = apus_columns_args(
            rows: rows.base,
            stride: Int64(rows.stride),
            count: Int64(rows.rowCount),
            columns: Int64(size),
            tiles: tiles.assumingMemoryBound(to: Float.self),
            panels: panels.assumingMemoryBound(to: Float.self)
        )
        let run = Int(APUS_COLUMN_RUN)
        compute.pool.run(apus_pack_columns, columns, count: (size + run - 1) / run, split: .claims(grain: 1))
        let products = ColumnProducts(
            format: format,
            tiles: tiles,
            panels: panels,
            columnCount: size,
            rowCount: rows.rowCount,
            sums: elements
        )
        let unitCount = (size + ColumnProducts.unitLength - 1) / ColumnProducts.unitLength
        compute.pool.run(multiplyColumns, products, count: unitCount, split: .claims(grain: 1))
        rowCount += rows.rowCount
    }

    /// The diagonal: the sums of squares of each column.
    package var diagonal: [Float] { (0..<size).map { elements.base[$0 * elements.stride + $0] } }
}

/// Packed columns times themselves.
///
/// Units are runs of the result's columns, from its diagonal down.
private struct ColumnProducts: BitwiseCopyable {
    let format: apus_format
    let tiles: UnsafeMutableRawPointer
    let panels: UnsafeMutableRawPointer
    let columnCount: Int
    let rowCount: Int
    let sums: FloatRows

    /// Columns of a unit: whole tiles, and it begins with a whole panel.
    static let unitLength = 2 * Int(APUS_COLUMN_RUN)
}

private let multiplyColumns: apus_range_kernel = { arguments, begin, end, scratch in
    let work = arguments.load(as: ColumnProducts.self)
    let lineByteCount = work.rowCount * MemoryLayout<Float>.stride
    for unit in Int(begin)..<Int(end) {
        let first = unit * ColumnProducts.unitLength
        let columns = min(ColumnProducts.unitLength, work.columnCount - first)
        var arguments = apus_matmul_args(
            weights: work.tiles + first * lineByteCount,
            outputs: Int64(columns),
            inputs: Int64(work.rowCount),
            panels: work.panels + first * lineByteCount,
            panel_rows: apus_panel_rows(APUS_ACTIVATION_F32, Int64(work.columnCount - first)),
            rows: Int64(work.columnCount - first),
            output: work.sums.base + first * work.sums.stride + first,
            output_stride: Int64(work.sums.stride),
            bias: nil,
            accumulates: 1
        )
        let tileRows = Int(work.format.tile_rows)
        work.format.matmul(&arguments, 0, Int64((columns + tileRows - 1) / tileRows), scratch)
    }
}
