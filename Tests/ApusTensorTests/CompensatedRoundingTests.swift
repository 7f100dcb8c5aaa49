import ApusCore
import ApusTensor
import ApusTestSupport
import Foundation
import Testing

/// Against Fixtures/gptq: the paper's algorithm and LAPACK's factor, in float64.
@Suite struct CompensatedRoundingTests {
    private static let (rowCount, columnCount, sampleCount) = (21, 160, 300)

    private static func floats(_ name: String) throws -> [Float] {
        let data = try Data(contentsOf: URL(fileURLWithPath: Fixture.path("gptq/\(name).bin")))
        return data.withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map {
                Float(bitPattern: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))
            }
        }
    }

    /// The fixture's matrices in memory, its sums of products, and their factor.
    private final class Layer {
        let arena: Arena
        let hessian: GramMatrix
        let order: [Int]
        let product: FloatProduct
        let compute: Compute

        init(tier: KernelTier? = nil, threadCount: Int = 2, chunkLength: Int = 300) throws {
            compute = try Compute(tier: tier, threadCount: threadCount)
            arena = try Arena(name: "test", byteCount: 1 << 21)
            hessian = try GramMatrix(size: columnCount, rowCapacity: sampleCount, compute: compute)
            product = try FloatProduct(width: columnCount, rowCount: columnCount, compute: compute)
            order = try floats("order").map { Int($0) }
            let inputs = try rows("inputs", sampleCount)
            for first in stride(from: 0, to: sampleCount, by: chunkLength) {
                hessian.add(inputs[first..<min(first + chunkLength, sampleCount)])
            }
        }

        func rows(_ name: String, _ count: Int) throws -> FloatRows {
            let values = try floats(name)
            let rows = arena.allocateRows(count, width: values.count / count)
            rows.fill(values.span)
            return rows
        }

        var damping: Float { 0.01 * hessian.diagonal.reduce(0, +) / Float(columnCount) }

        func factor(damping: Float? = nil) throws -> CholeskyFactor? {
            try CholeskyFactor(
                hessian,
                order: order,
                damping: damping ?? self.damping,
                product: product,
                compute: compute
            )
        }

        func rounding() throws -> CompensatedRounding {
            try CompensatedRounding(
                #require(try factor()),
                order: order,
                rowCapacity: rowCount,
                product: product,
                compute: compute
            )
        }

        /// The rounded weights and each row's error.
        func rounded() throws -> (rows: [[Float]], losses: [Double]) {
            let weights = try rows("weights", rowCount)
            let losses = try rounding().round(
                weights,
                steps: rows("steps", rowCount),
                origins: rows("origins", rowCount),
                topCode: 7
            )
            return ((0..<rowCount).map { weights.row($0) }, losses)
        }
    }

    private static func isClose(_ a: Double, _ b: Double, to tolerance: Double) -> Bool {
        abs(a - b) <= tolerance * max(abs(a), abs(b))
    }

    @Test func theFactorIsLAPACKs() throws {
        let factor = try #require(try Layer().factor())
        let rows = withExtendedLifetime(factor) { (0..<Self.columnCount).map { factor.upper.row($0) } }
        let expected = try Self.floats("factor")
        let largest = Double(expected.map(\.magnitude).max() ?? 0)
        for row in 0..<Self.columnCount {
            for (column, value) in rows[row].enumerated() {
                let wanted = expected[row * Self.columnCount + column]
                #expect(abs(Double(value) - Double(wanted)) < 1e-4 * largest, "\(row) \(column): \(value), \(wanted)")
            }
        }
    }

    @Test func everyCodeIsThePapers() throws {
        let (rows, losses) = try Layer().rounded()
        let expected = try Self.floats("rounded")
        for (row, values) in rows.enumerated() {
            for (column, value) in values.enumerated() {
                let wanted = expected[row * Self.columnCount + column]
                #expect(abs(value - wanted) < 1e-5, "\(row) \(column): \(value), \(wanted)")
            }
        }
        let expectedLosses = try Self.floats("losses")
        for (row, loss) in losses.enumerated() {
            #expect(
                Self.isClose(loss, Double(expectedLosses[row]), to: 1e-3),
                "\(row): \(loss), \(expectedLosses[row])"
            )
        }
    }

    @Test func whatNearestPointsLoseIsMeasured() throws {
        let layer = try Layer()
        let losses = try layer.rounding().measure(
            layer.rows("weights", Self.rowCount),
            roundedTo: layer.rows("nearest", Self.rowCount)
        )
        let expected = try Self.floats("losses").suffix(Self.rowCount)
        for (loss, wanted) in zip(losses, expected) { #expect(Self.isClose(loss, Double(wanted), to: 1e-3)) }
    }

    @Test(arguments: KernelTier.available, [1, 2]) func neitherTiersNorThreadsChangeABit(
        tier: KernelTier,
        threadCount: Int
    ) throws {
        let (rows, losses) = try Layer(tier: .scalar, threadCount: 1).rounded()
        let (others, otherLosses) = try Layer(tier: tier, threadCount: threadCount).rounded()
        let difference = FloatDifference.firstInBits(others, rows)
        #expect(difference == nil, "\(difference ?? "")")
        #expect(losses == otherLosses)
    }

    @Test func aSingularMatrixHasNoFactorButWithDamping() throws {
        // Fewer rows than columns.
        let layer = try Layer()
        let few = try GramMatrix(size: Self.columnCount, rowCapacity: 16, compute: layer.compute)
        few.add(try layer.rows("inputs", Self.sampleCount)[0..<16])
        func factor(damping: Float) throws -> CholeskyFactor? {
            try CholeskyFactor(
                few,
                order: layer.order,
                damping: damping,
                product: layer.product,
                compute: layer.compute
            )
        }
        #expect(try factor(damping: 0) == nil)
        #expect(try factor(damping: few.diagonal.reduce(0, +) / Float(Self.columnCount)) != nil)
        #expect(try layer.factor(damping: .nan) == nil)
    }

    @Test func sumsOfPartsAreTheSums() throws {
        let (whole, parts) = try (Layer(), Layer(chunkLength: 7))
        #expect(whole.hessian.rowCount == parts.hessian.rowCount)
        for (a, b) in zip(whole.hessian.diagonal, parts.hessian.diagonal) {
            #expect(Self.isClose(Double(a), Double(b), to: 1e-5))
        }
    }
}
