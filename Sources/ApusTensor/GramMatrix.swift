import ApusCore
import CApusKernels

/// The sums of products of columns over many rows, XᵀX, and its Cholesky factor.
///
/// Sums are floats, a chain for each step's rows; see `FloatProduct`. Not thread-safe.
package final class GramMatrix {
    /// How many columns, and rows of the matrix.
    package let size: Int
    /// The lower triangle, diagonal included; what is above means nothing.
    package let elements: FloatRows
    /// Rows that were added.
    package private(set) var rowCount = 0
    private let columns: FloatRows
    private let product: FloatProduct
    private let compute: Compute
    private let arena: Arena

    /// Columns of the result that are computed at once.
    private static let blockLength = 512

    /// Zeros.
    /// - Parameters:
    ///   - size: how many columns the rows have.
    ///   - rowCapacity: the most rows that are added at once.
    /// - Throws: `ApusError` (`outOfMemory`).
    package init(size: Int, rowCapacity: Int, compute: Compute) throws {
        self.size = size
        self.compute = compute
        let floatCount = Arena.roundedUp(size * size * 4) + Arena.roundedUp(size * rowCapacity * 4)
        arena = try Arena(name: "sums of products", byteCount: floatCount)
        elements = arena.allocateRows(size, width: size)
        columns = arena.allocateRows(size, width: rowCapacity)
        product = try FloatProduct(width: rowCapacity, rowCount: min(size, Self.blockLength), compute: compute)
    }

    /// Adds the products of the rows' columns.
    package func add(_ rows: FloatRows) {
        precondition(rows.width == size && rows.rowCount <= columns.width)
        let transposed = columns.columns(0..<rows.rowCount)
        compute.pool.run(
            transposeRows,
            Transposition(source: rows, target: transposed),
            count: (size + Transposition.unitLength - 1) / Transposition.unitLength,
            split: .claims(grain: 1)
        )
        for first in stride(from: 0, to: size, by: Self.blockLength) {
            let block = first..<min(first + Self.blockLength, size)
            product(
                transposed[first..<size],
                transposed[block],
                into: elements[first..<size].columns(block),
                accumulates: true
            )
        }
        rowCount += rows.rowCount
    }

    /// The diagonal: the sums of squares of each column.
    package var diagonal: [Float] { (0..<size).map { elements.base[$0 * elements.stride + $0] } }
}

/// Columns of some rows as rows.
private struct Transposition: BitwiseCopyable {
    let source: FloatRows
    let target: FloatRows

    /// Columns that are read at once: a cache line.
    static let unitLength = 16
}

private let transposeRows: apus_range_kernel = { arguments, begin, end, _ in
    let work = arguments.load(as: Transposition.self)
    for unit in Int(begin)..<Int(end) {
        let columns = unit * Transposition.unitLength..<min((unit + 1) * Transposition.unitLength, work.source.width)
        for row in 0..<work.source.rowCount {
            let from = work.source.base + row * work.source.stride
            for column in columns { work.target.base[column * work.target.stride + row] = from[column] }
        }
    }
}
