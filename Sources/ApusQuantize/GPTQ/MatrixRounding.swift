import ApusCore
import ApusFormats
import ApusTensor

/// Rounds the matrices that read one kind of rows, whose products are known.
///
/// Grids are the type's own, fitted to each block with its columns weighed by their inputs' squares; where compensation leaves
/// a row further off than its nearest points do, the row keeps those.
struct MatrixRounding {
    /// A matrix in its new type, and what rounding changes of the outputs on the texts.
    struct Result {
        let bytes: [UInt8]
        /// The squared distance from what the weights give.
        let loss: Double
        /// The same with every weight rounded to nearest.
        let nearestLoss: Double
    }

    /// Whether the sums of products allow more than rounding to nearest.
    var isCompensating: Bool { solver != nil }

    private let importance: [Float]
    private let solver: CompensatedRounding?
    private let path: String
    private let compute: Compute

    /// Rows that are rounded at once.
    private static let stretchLength = 1024
    /// What is added to the diagonal, as a share of its mean: the paper's value; more where that leaves a matrix singular.
    private static let dampings: [Float] = [0.01, 0.1, 1]

    /// Factors the sums of products.
    /// - Throws: `ApusError`: `malformedFile` if they are not finite, naming the matrix that read the rows; `outOfMemory`.
    init(_ hessian: GramMatrix, name: String, path: String, compute: Compute) throws {
        let squares = hessian.diagonal
        guard squares.allSatisfy(\.isFinite) else {
            throw ApusError(
                .malformedFile,
                "\(path): expected inputs of \(name) whose squares have a finite sum, found others: check the file with apus "
                    + "eval perplexity"
            )
        }
        self.path = path
        self.compute = compute
        importance = ImportanceMatrix.weights(ofMeanSquares: squares)
        // Rounded from the last to the first: what matters most while most columns can still make up for it.
        let order = squares.indices.sorted { (squares[$0], $0) < (squares[$1], $1) }
        let mean = squares.reduce(0.0) { $0 + Double($1) } / Double(squares.count)
        let product = try FloatProduct(
            width: squares.count,
            rowCount: CholeskyFactor.blockLength,
            compute: compute
        )
        var factor: CholeskyFactor?
        for share in Self.dampings where factor == nil {
            factor = try CholeskyFactor(
                hessian,
                order: order,
                damping: max(share * Float(mean), .leastNormalMagnitude),
                product: product,
                compute: compute
            )
        }
        solver = try factor.map {
            try CompensatedRounding(
                $0,
                order: order,
                rowCapacity: Self.stretchLength,
                product: product,
                compute: compute
            )
        }
    }

    /// Rounds a matrix.
    /// - Throws: `ApusError`: `malformedFile` naming the tensor with a weight that is no finite number; `outOfMemory`.
    func round(_ item: Quantizer.Item) throws -> Result {
        let tensor = item.tensor
        let (width, rowCount) = (tensor.shape[0], tensor.shape[1])
        let rowByteCount = tensor.byteCount / rowCount
        var bytes: [UInt8] = []
        var losses = (compensated: 0.0, nearest: 0.0)
        for first in stride(from: 0, to: rowCount, by: Self.stretchLength) {
            try Task.checkCancellation()
            let rows = first..<min(first + Self.stretchLength, rowCount)
            let range = rows.lowerBound * rowByteCount..<rows.upperBound * rowByteCount
            do {
                let floats = try tensor.withBytes(range) {
                    try ElementConversion(from: tensor.type, to: .f32, rowLength: width).convert($0, compute: compute)
                }
                let (part, loss, nearest) = try round(floats, rowCount: rows.count, width: width, to: item.type)
                bytes += part
                losses.compensated += loss
                losses.nearest += nearest
            } catch let error as ApusError where error.code == .malformedFile {
                throw ApusError(.malformedFile, "\(path): tensor \(tensor.name): \(error.message)")
            }
        }
        return Result(bytes: bytes, loss: losses.compensated, nearestLoss: losses.nearest)
    }

    private func round(
        _ floats: [UInt8],
        rowCount: Int,
        width: Int,
        to type: ElementType
    ) throws -> (bytes: [UInt8], loss: Double, nearestLoss: Double) {
        var bytes = try ElementConversion(from: .f32, to: type, rowLength: width, importance: importance)
            .convert(floats.span.bytes, compute: compute)
        guard let solver, let topCode = ElementCodec.topCode(of: type) else { return (bytes, 0, 0) }
        let size = Arena.roundedUp(rowCount * width * MemoryLayout<Float>.stride)
        let arena = try Arena(name: "rows", byteCount: 4 * size)
        defer { withExtendedLifetime(arena) {} }
        let places = (0..<4).map { _ in arena.allocateRows(rowCount, width: width) }
        let (exact, near, steps, origins) = (places[0], places[1], places[2], places[3])
        exact.decode(floats, as: .f32)
        near.decode(bytes, as: type)
        let rowByteCount = bytes.count / rowCount
        for row in 0..<rowCount {
            let blocks = bytes.span.bytes.extracting(row * rowByteCount..<(row + 1) * rowByteCount)
            guard let grid = ElementCodec.grid(of: blocks, as: type) else { continue }
            steps[row..<row + 1].fill(grid.steps.span)
            origins[row..<row + 1].fill(grid.origins.span)
        }
        let nearestLosses = solver.measure(exact, roundedTo: near)
        let losses = solver.round(exact, steps: steps, origins: origins, topCode: topCode)
        for row in 0..<rowCount where losses[row] < nearestLosses[row] {
            let range = row * rowByteCount..<(row + 1) * rowByteCount
            var blocks = Array(bytes[range])
            ElementCodec.snap(exact.row(row).span, to: &blocks, as: type)
            bytes.replaceSubrange(range, with: blocks)
        }
        return (bytes, zip(losses, nearestLosses).reduce(0) { $0 + min($1.0, $1.1) }, nearestLosses.reduce(0, +))
    }
}
