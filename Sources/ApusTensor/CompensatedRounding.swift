import ApusCore
import CApusKernels

/// Rounds a matrix to grids so that what it does to its inputs changes least: GPTQ (Frantar et al., "GPTQ: Accurate
/// Post-Training Quantization for Generative Pre-trained Transformers", 2023).
///
/// With H = UᵀU the error of a row, e H eᵀ, is |e Uᵀ|², whose component `p` holds `e_p U_pp` and the errors behind it.
/// Columns are rounded from the last to the first, each to what makes its component smallest given those behind:
/// `q = round(w + Σ e_k U_pk / U_pp, k > p)`. This is the paper's update of the columns not yet rounded, summed up when a
/// column's turn comes; it needs no inverse of H (Chen et al., "The Geometry of LLM Quantization: GPTQ as Babai's Nearest Plane
/// Algorithm", 2025). Sums are products by blocks (`FloatProduct`), so no thread changes a bit. Not thread-safe.
package final class CompensatedRounding {
    private let factor: CholeskyFactor
    private let order: UnsafeMutablePointer<Int32>
    private let errors: FloatRows
    private let sums: FloatRows
    private let product: FloatProduct
    private let compute: Compute
    private let arena: Arena

    /// Reserves memory for matrices that read what H was made of.
    /// - Parameters:
    ///   - factor: U.
    ///   - order: position `i` of U is column `order[i]` of the matrices; the last is rounded first.
    ///   - rowCapacity: the most rows that are rounded at once.
    ///   - product: with room for `CholeskyFactor.blockLength` rows of U's length.
    /// - Throws: `ApusError` (`outOfMemory`).
    package init(
        _ factor: CholeskyFactor,
        order: [Int],
        rowCapacity: Int,
        product: FloatProduct,
        compute: Compute
    ) throws {
        let size = factor.upper.rowCount
        precondition(order.count == size)
        self.factor = factor
        self.product = product
        self.compute = compute
        let blockLength = min(size, CholeskyFactor.blockLength)
        arena = try Arena(
            name: "rounding",
            byteCount: Arena.roundedUp(size * 4) + Arena.roundedUp(rowCapacity * size * 4)
                + Arena.roundedUp(rowCapacity * blockLength * 4)
        )
        self.order = arena.allocate(Int32.self, count: size)
        for (position, column) in order.enumerated() { self.order[position] = Int32(column) }
        errors = arena.allocateRows(rowCapacity, width: size)
        sums = arena.allocateRows(rowCapacity, width: blockLength)
    }

    /// Rounds rows in place to their grids' points.
    /// - Parameters:
    ///   - rows: at most `rowCapacity`.
    ///   - steps: the distance of points, for each element; 0: `origins` is the only one.
    ///   - origins: the first point, for each element.
    ///   - topCode: how many points follow it.
    /// - Returns: the error e H eᵀ of each row.
    package func round(_ rows: FloatRows, steps: FloatRows, origins: FloatRows, topCode: Int) -> [Double] {
        let errors = errors[0..<rows.rowCount]
        for block in blocks.reversed() {
            let behind = block.upperBound..<rows.width
            let sums = sums[0..<rows.rowCount].columns(0..<block.count)
            if !behind.isEmpty {
                product(errors.columns(behind), factor.upper[block].columns(behind), into: sums)
            }
            let work = BlockRounding(
                rows: rows,
                steps: steps,
                origins: origins,
                topCode: Float(topCode),
                upper: factor.upper,
                errors: errors,
                sums: sums,
                order: UnsafePointer(order),
                first: block.lowerBound,
                count: block.count,
                hasSums: !behind.isEmpty
            )
            let unitCount = (rows.rowCount + BlockRounding.laneCount - 1) / BlockRounding.laneCount
            compute.pool.run(roundBlock, work, count: unitCount, split: .claims(grain: 1))
        }
        return errorMeasures(rowCount: rows.rowCount)
    }

    /// The error e H eᵀ of each row, for given rows and what they were rounded to.
    package func measure(_ rows: FloatRows, roundedTo rounded: FloatRows) -> [Double] {
        precondition(rows.rowCount == rounded.rowCount && rows.width == rounded.width)
        for row in 0..<rows.rowCount {
            let (exact, near) = (rows.base + row * rows.stride, rounded.base + row * rounded.stride)
            let target = errors.base + row * errors.stride
            for position in 0..<rows.width {
                let column = Int(order[position])
                target[position] = exact[column] - near[column]
            }
        }
        return errorMeasures(rowCount: rows.rowCount)
    }

    private var blocks: [Range<Int>] {
        let size = factor.upper.rowCount
        return stride(from: 0, to: size, by: CholeskyFactor.blockLength).map {
            $0..<min($0 + CholeskyFactor.blockLength, size)
        }
    }

    /// |e Uᵀ|² of the rows in `errors`.
    private func errorMeasures(rowCount: Int) -> [Double] {
        let size = factor.upper.rowCount
        var measures = [Double](repeating: 0, count: rowCount)
        for block in blocks {
            let sums = sums[0..<rowCount].columns(0..<block.count)
            let counted = block.lowerBound..<size
            product(errors[0..<rowCount].columns(counted), factor.upper[block].columns(counted), into: sums)
            for row in 0..<rowCount {
                let components = sums.base + row * sums.stride
                for index in 0..<block.count { measures[row] += Double(components[index]) * Double(components[index]) }
            }
        }
        return measures
    }
}

/// A block of columns of some rows, from the last to the first; a lane is a row.
private struct BlockRounding: BitwiseCopyable {
    typealias Lanes = SIMD16<Float>

    let rows: FloatRows
    let steps: FloatRows
    let origins: FloatRows
    let topCode: Float
    let upper: FloatRows
    let errors: FloatRows
    let sums: FloatRows
    let order: UnsafePointer<Int32>
    let first: Int
    let count: Int
    let hasSums: Bool

    static let laneCount = 16

    func round(unit: Int, errorsOfBlock: UnsafeMutablePointer<Lanes>) {
        let firstRow = unit * Self.laneCount
        let rowCount = min(Self.laneCount, rows.rowCount - firstRow)
        for position in (0..<count).reversed() {
            let column = Int(order[first + position])
            let factors = upper.base + (first + position) * upper.stride + first
            var sum = hasSums ? lanes(of: sums, firstRow, rowCount, position) : .zero
            for index in position + 1..<count { sum += errorsOfBlock[index] * factors[index] }
            let weight = lanes(of: rows, firstRow, rowCount, column)
            let origin = lanes(of: origins, firstRow, rowCount, column)
            let step = lanes(of: steps, firstRow, rowCount, column)
            let wanted = weight + sum / factors[position]
            var code = ((wanted - origin) / step).rounded(.toNearestOrEven)
            code.replace(with: 0, where: step .== 0)
            code.clamp(lowerBound: .zero, upperBound: Lanes(repeating: topCode))
            let rounded = origin + step * code
            errorsOfBlock[position] = weight - rounded
            for lane in 0..<rowCount {
                rows.base[(firstRow + lane) * rows.stride + column] = rounded[lane]
                errors.base[(firstRow + lane) * errors.stride + first + position] = weight[lane] - rounded[lane]
            }
        }
    }

    private func lanes(of source: FloatRows, _ firstRow: Int, _ rowCount: Int, _ column: Int) -> Lanes {
        var lanes = Lanes.zero
        for lane in 0..<rowCount { lanes[lane] = source.base[(firstRow + lane) * source.stride + column] }
        return lanes
    }
}

private let roundBlock: apus_range_kernel = { arguments, begin, end, scratch in
    let work = arguments.load(as: BlockRounding.self)
    let errors = scratch.bindMemory(to: BlockRounding.Lanes.self, capacity: work.count)
    for unit in Int(begin)..<Int(end) { work.round(unit: unit, errorsOfBlock: errors) }
}
