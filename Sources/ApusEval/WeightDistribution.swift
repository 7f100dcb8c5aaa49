package import Apus
package import ApusCore
import ApusFormats
import ApusModels
import ApusTensor

/// How the weights of a matrix are spread, and what symmetric INT4 makes of them.
///
/// Zeng et al., "GLM-130B: An Open Bilingual Pre-trained Model", 2023, section 3.2, round every row of a matrix to -7 … 7
/// times one scale, its largest magnitude over seven, and find that models differ in how well they bear it: a weight far from
/// the others of its row coarsens the grid for all of them. Here that is measured weight by weight, with a scale for 32
/// weights beside it, which such a weight harms least. Sums are of doubles, in an order that no thread changes.
package struct WeightDistribution: Sendable, Equatable {
    /// How many weights there are.
    package private(set) var count = 0
    /// Weights further from zero than six times the root mean square of their row.
    package private(set) var outlierCount = 0
    /// The largest magnitude in units of its row's root mean square, over all rows.
    package private(set) var largestPeak = 0.0
    private var rowCount = 0
    private var peakSum = 0.0
    /// Sums of the weights' powers one to four.
    private var powers = SIMD4<Double>.zero
    private var rowErrorSquares = 0.0
    private var groupErrorSquares = 0.0

    /// Weights that share a scale where not a whole row does.
    package static let groupLength = 32
    /// From so many root mean squares on a weight is an outlier: one of a billion would be, were they normally distributed.
    package static let outlierThreshold = 6.0
    private static let topCode: Float = 7

    /// Nothing yet.
    package init() {}

    /// The mean.
    package var mean: Double { powers[0] / Double(count) }

    /// The standard deviation.
    package var standardDeviation: Double { (powers[1] / Double(count) - mean * mean).squareRoot() }

    /// The fourth central moment over the squared variance, less the three of a normal distribution; NaN without variance.
    package var excessKurtosis: Double {
        let moments = powers / Double(count)
        let m = mean
        let fourth = moments[3] - 4 * m * moments[2] + 6 * m * m * moments[1] - 3 * m * m * m * m
        let variance = moments[1] - m * m
        return fourth / (variance * variance) - 3
    }

    /// A row's largest magnitude in units of its root mean square, the mean over rows that are not zero; NaN without any.
    package var meanPeak: Double { peakSum / Double(rowCount) }

    /// Outliers in a million weights.
    package var outliersPerMillion: Double { Double(outlierCount) * 1e6 / Double(count) }

    /// What INT4 with a scale per row changes, as a share of the matrix by Frobenius norm.
    package var rowError: Double { share(of: rowErrorSquares) }

    /// The same with a scale for every 32 weights of a row.
    package var groupError: Double { share(of: groupErrorSquares) }

    /// Of zeros nothing is changed.
    private func share(of squares: Double) -> Double { squares > 0 ? (squares / powers[1]).squareRoot() : 0 }

    /// Takes a row of finite weights.
    package mutating func add(row: Span<Float>) {
        var powers = SIMD4<Double>.zero
        for index in row.indices {
            let value = Double(row[index])
            let square = value * value
            powers += SIMD4(value, square, square * value, square * square)
        }
        self.powers += powers
        count += row.count
        for start in stride(from: 0, to: row.count, by: Self.groupLength) {
            let group = row.extracting(start..<min(start + Self.groupLength, row.count))
            groupErrorSquares += Self.errorSquares(of: group)
        }
        rowErrorSquares += Self.errorSquares(of: row)
        let deviation = (powers[1] / Double(max(1, row.count))).squareRoot()
        guard deviation > 0 else { return }
        let peak = Double(Self.largestMagnitude(of: row)) / deviation
        rowCount += 1
        peakSum += peak
        largestPeak = max(largestPeak, peak)
        guard peak > Self.outlierThreshold else { return }
        let bound = Self.outlierThreshold * deviation
        for index in row.indices where Double(row[index].magnitude) > bound { outlierCount += 1 }
    }

    /// Takes in what was found in other rows.
    package mutating func add(_ other: WeightDistribution) {
        count += other.count
        outlierCount += other.outlierCount
        largestPeak = max(largestPeak, other.largestPeak)
        rowCount += other.rowCount
        peakSum += other.peakSum
        powers += other.powers
        rowErrorSquares += other.rowErrorSquares
        groupErrorSquares += other.groupErrorSquares
    }

    private static func largestMagnitude(of weights: Span<Float>) -> Float {
        var largest: Float = 0
        for index in weights.indices { largest = max(largest, weights[index].magnitude) }
        return largest
    }

    /// The squared error of weights that share a scale.
    private static func errorSquares(of weights: Span<Float>) -> Double {
        let scale = largestMagnitude(of: weights) / topCode
        guard scale > 0 else { return 0 }
        var sum = 0.0
        for index in weights.indices {
            let code = (weights[index] / scale).rounded(.toNearestOrEven)
            let error = Double(weights[index]) - Double(scale) * Double(min(max(code, -topCode), topCode))
            sum += error * error
        }
        return sum
    }
}

extension WeightDistribution {
    /// Weights that one task takes at once: the part of a matrix decoded at a time.
    private static let stretchLength = 1 << 17

    /// Measures a matrix by all cores.
    /// - Parameter tensor: one with two extents, which are at least 1.
    /// - Throws: `ApusError` (`malformedFile`) naming the tensor with a weight that is no finite number; `CancellationError`.
    fileprivate init(_ tensor: TensorInfo) async throws {
        self.init()
        let (width, rowCount) = (tensor.shape[0], tensor.shape[1])
        let rowByteCount = tensor.bytes.count / rowCount
        let stretch = max(1, Self.stretchLength / width)
        let firsts = Array(stride(from: 0, to: rowCount, by: stretch))
        let parts = try await withThrowingTaskGroup(of: (Int, WeightDistribution).self) { group in
            for first in firsts {
                let rows = first..<min(first + stretch, rowCount)
                group.addTask {
                    try Task.checkCancellation()
                    return (first, try Self.part(of: tensor, rows: rows, rowByteCount: rowByteCount))
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for first in firsts { if let part = parts[first] { add(part) } }
    }

    private static func part(of tensor: TensorInfo, rows: Range<Int>, rowByteCount: Int) throws -> WeightDistribution {
        guard let bytes = tensor.bytes.slice(offset: rows.lowerBound * rowByteCount, count: rows.count * rowByteCount)
        else {
            throw ApusError(.malformedFile, "\(tensor.bytes.file.path): tensor \(tensor.name): too few bytes")
        }
        let values = try ElementCodec.decode(bytes, as: tensor.type, rowLength: tensor.shape[0])
        guard values.allSatisfy(\.isFinite) else {
            throw ApusError(
                .malformedFile,
                "\(tensor.bytes.file.path): tensor \(tensor.name): expected finite numbers, found NaN or an infinity"
            )
        }
        var part = WeightDistribution()
        let width = values.count / rows.count
        for row in rows {
            let start = (row - rows.lowerBound) * width
            part.add(row: values.span.extracting(start..<start + width))
        }
        bytes.file.release(bytes.offset..<bytes.offset + bytes.count)
        return part
    }
}

/// A matrix of a model and how its weights are spread.
package struct MatrixDistribution: Sendable {
    /// The tensor's name in the file.
    package let name: String
    /// How the file stores it.
    package let type: ElementType
    package let weights: WeightDistribution

    /// Measures all matrices of a model, in the file's order.
    /// - Parameter progress: called with the bytes read and those there are.
    /// - Throws: `ApusError` (`malformedFile`) naming the tensor with a weight that is no finite number; `CancellationError`.
    package static func all(of file: ModelFile, progress: (Int, Int) -> Void) async throws -> [MatrixDistribution] {
        let matrices = try file.model().tensors.all.filter { $0.shape.count == 2 }
        let total = matrices.reduce(0) { $0 + $1.bytes.count }
        var done = 0
        var found: [MatrixDistribution] = []
        for matrix in matrices {
            progress(done, total)
            found.append(.init(name: matrix.name, type: matrix.type, weights: try await WeightDistribution(matrix)))
            done += matrix.bytes.count
        }
        return found
    }
}
