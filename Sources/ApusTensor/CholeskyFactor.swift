import ApusCore
import CApusKernels

/// The upper triangular U with H = UᵀU for a symmetric positive definite H, its rows and columns in an order of choice.
///
/// By blocks (Golub and Van Loan, "Matrix Computations", section 4.2), with the products of `FloatProduct`. Not thread-safe.
package final class CholeskyFactor {
    /// U; zeros below the diagonal.
    package let upper: FloatRows
    private let update: FloatRows
    private let product: FloatProduct
    private let compute: Compute
    private let arena: Arena

    /// Columns that are factored at once.
    package static let blockLength = 128

    /// Factors (H + damping) in an order.
    /// - Parameters:
    ///   - matrix: whose lower triangle counts.
    ///   - order: position `i` of U is row and column `order[i]` of H.
    ///   - damping: what is added to the diagonal.
    ///   - product: with room for `blockLength` rows of the matrix' size.
    /// - Returns: nil if a pivot is no positive number: the matrix is singular, or not finite.
    /// - Throws: `ApusError` (`outOfMemory`).
    package init?(
        _ matrix: GramMatrix,
        order: [Int],
        damping: Float,
        product: FloatProduct,
        compute: Compute
    ) throws {
        precondition(order.count == matrix.size)
        let size = matrix.size
        let updateWidth = min(size, Self.blockLength)
        arena = try Arena(
            name: "factor",
            byteCount: Arena.roundedUp(size * size * 4) + Arena.roundedUp(size * updateWidth * 4)
        )
        upper = arena.allocateRows(size, width: size)
        update = arena.allocateRows(size, width: updateWidth)
        self.product = product
        self.compute = compute
        gather(matrix.elements, order, damping)
        for first in stride(from: 0, to: size, by: Self.blockLength) {
            guard factor(first..<min(first + Self.blockLength, size)) else { return nil }
        }
        moveUp()
    }

    /// Copies the lower triangle in its new order.
    private func gather(_ source: FloatRows, _ order: [Int], _ damping: Float) {
        for row in 0..<order.count {
            let target = upper.base + row * upper.stride
            for column in 0...row {
                let (a, b) = (max(order[row], order[column]), min(order[row], order[column]))
                target[column] = source.base[a * source.stride + b]
            }
            target[row] += damping
        }
    }

    /// Computes the lower factor's columns `block`, from the diagonal down.
    private func factor(_ block: Range<Int>) -> Bool {
        let size = upper.rowCount
        let below = update[block.lowerBound..<size].columns(0..<block.count)
        // Nothing is done before the first block, and the arena's zeros are its update.
        if block.lowerBound > 0 {
            let done = upper[block.lowerBound..<size].columns(0..<block.lowerBound)
            product(done, done[0..<block.count], into: below)
        }
        for row in block { subtract(below, from: row, block) }
        guard factorDiagonal(block) else { return false }
        let work = Substitution(
            lower: upper,
            update: update,
            first: block.lowerBound,
            count: block.count
        )
        let unitCount = (size - block.upperBound + Substitution.unitLength - 1) / Substitution.unitLength
        compute.pool.run(substituteRows, work, count: unitCount, split: .claims(grain: 1))
        return true
    }

    private func subtract(_ update: FloatRows, from row: Int, _ block: Range<Int>) {
        let target = upper.base + row * upper.stride + block.lowerBound
        let source = update.base + (row - block.lowerBound) * update.stride
        for column in 0...row - block.lowerBound { target[column] -= source[column] }
    }

    /// The unblocked factorization of a block on the diagonal.
    private func factorDiagonal(_ block: Range<Int>) -> Bool {
        for row in block {
            let current = upper.base + row * upper.stride
            for column in block.lowerBound...row {
                let other = upper.base + column * upper.stride
                var sum = Double(current[column])
                for index in block.lowerBound..<column { sum -= Double(current[index]) * Double(other[index]) }
                if column < row {
                    current[column] = Float(sum / Double(other[column]))
                } else {
                    guard sum > 0, sum.isFinite else { return false }
                    current[row] = Float(sum.squareRoot())
                }
            }
        }
        return true
    }

    /// Turns the lower factor into the upper one.
    private func moveUp() {
        for row in 0..<upper.rowCount {
            let lower = upper.base + row * upper.stride
            for column in 0..<row {
                upper.base[column * upper.stride + row] = lower[column]
                lower[column] = 0
            }
        }
    }
}

/// Rows below a block on the diagonal: each a triangular system with the block's factor.
private struct Substitution: BitwiseCopyable {
    let lower: FloatRows
    let update: FloatRows
    let first: Int
    let count: Int

    static let unitLength = 16

    func solve(_ row: Int) {
        let target = lower.base + row * lower.stride + first
        let source = update.base + row * update.stride
        for column in 0..<count { target[column] -= source[column] }
        for column in 0..<count {
            let factors = lower.base + (first + column) * lower.stride + first
            var sum = target[column]
            for index in 0..<column { sum -= target[index] * factors[index] }
            target[column] = sum / factors[column]
        }
    }
}

private let substituteRows: apus_range_kernel = { arguments, begin, end, _ in
    let work = arguments.load(as: Substitution.self)
    for unit in Int(begin)..<Int(end) {
        let start = work.first + work.count + unit * Substitution.unitLength
        for row in start..<min(start + Substitution.unitLength, work.lower.rowCount) { work.solve(row) }
    }
}
