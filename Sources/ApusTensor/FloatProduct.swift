import ApusCore
import CApusKernels

/// Products of float rows with float rows, for algorithms over whole matrices: C = A Bᵀ.
///
/// Each element is one chain of fused multiply-adds over the rows' elements in ascending order (docs/numbers.md, section 4),
/// so neither tiers nor threads change a bit. Not thread-safe.
package final class FloatProduct {
    private let compute: Compute
    private let format: apus_format
    private let arena: Arena
    private let tiles: UnsafeMutableRawPointer
    private let panels: UnsafeMutableRawPointer
    private let elementCapacity: Int

    /// Rows of A that are prepared at once: whole panels.
    private static let blockRowCount = 288

    /// Reserves memory for B.
    /// - Parameters:
    ///   - width: the longest rows.
    ///   - rowCount: the most rows of B.
    /// - Throws: `ApusError` (`outOfMemory`).
    package init(width: Int, rowCount: Int, compute: Compute) throws {
        self.compute = compute
        format = compute.kernels.format(of: .f32)
        let tileRows = Int(format.tile_rows)
        elementCapacity = (rowCount + tileRows - 1) / tileRows * tileRows * width
        let tileByteCount = elementCapacity * MemoryLayout<Float>.stride
        let panelByteCount = Int(apus_activation_bytes(APUS_ACTIVATION_F32, Int64(Self.blockRowCount), Int64(width)))
        arena = try Arena(
            name: "products of matrices",
            byteCount: Arena.roundedUp(tileByteCount) + Arena.roundedUp(panelByteCount)
        )
        tiles = arena.allocate(byteCount: tileByteCount)
        panels = arena.allocate(byteCount: panelByteCount)
    }

    /// c (rows of a x rows of b) = a bᵀ, or is increased by it with `accumulates`.
    package func callAsFunction(_ a: FloatRows, _ b: FloatRows, into c: FloatRows, accumulates: Bool = false) {
        precondition(a.width == b.width && c.rowCount == a.rowCount && c.width == b.rowCount)
        let tileCount = (b.rowCount + Int(format.tile_rows) - 1) / Int(format.tile_rows)
        precondition(tileCount * Int(format.tile_rows) * b.width <= elementCapacity)
        let packing = PackRows(format: format, rows: b, tiles: tiles)
        compute.pool.run(packRows, packing, count: tileCount, split: .claims(grain: 1))
        for first in stride(from: 0, to: a.rowCount, by: Self.blockRowCount) {
            let rows = a[first..<min(first + Self.blockRowCount, a.rowCount)]
            compute.prepare(MatmulInput(rows), as: APUS_ACTIVATION_F32, into: panels)
            let arguments = apus_matmul_args(
                weights: UnsafeRawPointer(tiles),
                outputs: Int64(b.rowCount),
                inputs: Int64(b.width),
                panels: UnsafeRawPointer(panels),
                panel_rows: apus_panel_rows(APUS_ACTIVATION_F32, Int64(rows.rowCount)),
                rows: Int64(rows.rowCount),
                output: c.base + first * c.stride,
                output_stride: Int64(c.stride),
                bias: nil,
                accumulates: accumulates ? 1 : 0
            )
            compute.pool.run(format.matmul, arguments, count: tileCount, split: .claims(grain: 4))
        }
    }
}

private struct PackRows: BitwiseCopyable {
    let format: apus_format
    let rows: FloatRows
    let tiles: UnsafeMutableRawPointer
}

private let packRows: apus_range_kernel = { arguments, begin, end, _ in
    let pack = arguments.load(as: PackRows.self)
    let tileRows = Int(pack.format.tile_rows)
    for tile in Int(begin)..<Int(end) {
        let rows = pack.rows[tile * tileRows..<min((tile + 1) * tileRows, pack.rows.rowCount)]
        pack.format.pack(
            rows.base,
            Int64(rows.stride * MemoryLayout<Float>.stride),
            Int64(rows.rowCount),
            Int64(rows.width),
            pack.tiles + tile * Int(pack.format.tile_bytes(Int64(rows.width)))
        )
    }
}
