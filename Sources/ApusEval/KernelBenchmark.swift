package import ApusCore
package import ApusTensor

#if canImport(Glibc)
import Glibc
#endif

/// Measures products with one row, eight and 512 for every element type, beside the most its tier can do.
///
/// The way is the engine's: packed matrices, prepared rows, the compute threads. Few rows read their weights from
/// memory, so they go in turn over copies of the matrix that no cache holds together; the scalar tier, which computes
/// more slowly than any cache reads, has one copy of a smaller matrix. Preparing the rows is not counted.
package struct KernelBenchmark {
    /// The numbers of rows that are measured.
    package static let rowCounts = [1, 8, 512]

    /// What was found for one element type.
    package struct TypeRates: Sendable {
        package let type: ElementType
        /// Multiply-adds per second, by `rowCounts`.
        package let rates: [Double]
        /// Bytes of weights read per second with one row.
        package let readRate: Double
        /// The most multiply-adds the tier can do: of 8-bit dots, for float types of FMAs.
        package let peak: Double

        /// The share of the peak with the number of rows at `index` in `rowCounts`.
        package func share(_ index: Int) -> Double { rates[index] / peak }
    }

    /// What was found for one tier.
    package struct TierRates: Sendable {
        package let tier: KernelTier
        package let peaks: ComputePeaks
        package let types: [TypeRates]

        /// Types that beat the limit: then the limit is wrong.
        package var impossible: [ElementType] {
            types.filter { type in type.rates.indices.contains { type.share($0) > 1.02 } }.map(\.type)
        }
    }

    private let compute: Compute
    private let peaks: ComputePeaks
    private let inputCount = 1536
    private let outputCount: Int
    private let coldByteCount: Int
    private let duration: Duration

    private init(tier: KernelTier, threadCount: Int) throws {
        compute = try Compute(tier: tier, threadCount: threadCount)
        peaks = try ComputePeaks(measuring: compute)
        outputCount = tier == .scalar ? 64 : 1024
        coldByteCount = tier == .scalar ? 0 : Self.coldByteCount
        duration = .milliseconds(tier == .scalar ? 10 : 25)
    }

    /// Bytes of weights that products of few rows go over: twice the last cache's, within bounds.
    package static var coldByteCount: Int {
        #if canImport(Glibc)
        let lastCache = sysconf(Int32(_SC_LEVEL3_CACHE_SIZE))
        #else
        let lastCache = 0
        #endif
        return min(max(2 * lastCache, 64 << 20), 256 << 20)
    }

    /// Measures all types on one tier, in about three seconds.
    /// - Throws: `ApusError` if this CPU cannot run the tier or memory is short.
    package static func measure(tier: KernelTier, threadCount: Int) throws -> TierRates {
        let benchmark = try KernelBenchmark(tier: tier, threadCount: threadCount)
        let types = try ElementType.allCases.map(benchmark.measure)
        return TierRates(tier: tier, peaks: benchmark.peaks, types: types)
    }

    private func measure(_ type: ElementType) throws -> TypeRates {
        let stored = try BenchmarkWeights(type: type, outputCount: outputCount, inputCount: inputCount)
        let size = PackedMatrix.byteCount(
            type: type,
            outputs: outputCount,
            inputs: inputCount,
            kernels: compute.kernels
        )
        let copyCount = max(1, (coldByteCount + size - 1) / size)
        let arena = try Arena(name: "benchmark weights", byteCount: copyCount * size)
        let copies = try (0..<copyCount).map { _ in
            let unpacked = try UnpackedMatrix(
                stored.bytes,
                stored: type,
                as: type,
                outputs: outputCount,
                inputs: inputCount,
                arena: arena,
                kernels: compute.kernels
            )
            unpacked.pack(compute)
            return unpacked.matrix
        }
        let rates = try Self.rowCounts.map { try rate(copies, rowCount: $0) }
        let weightCount = Double(outputCount * inputCount)
        return TypeRates(
            type: type,
            rates: rates,
            readRate: rates[0] / weightCount * Double(size),
            peak: type.isQuantized ? peaks.dots : peaks.fusedMultiplyAdds
        )
    }

    /// Multiply-adds per second: the median of the products done in `duration`, three at least, after one to warm up.
    private func rate(_ copies: [PackedMatrix], rowCount: Int) throws -> Double {
        var inputs = MatrixInputs()
        inputs.add(type: copies[0].type, inputs: inputCount)
        let floatByteCount = rowCount * (inputCount + outputCount) * MemoryLayout<Float>.stride
        let panelByteCount = Panels.byteCount(inputs: inputs, rowCapacity: rowCount)
        let arena = try Arena(name: "benchmark rows", byteCount: floatByteCount + panelByteCount + 2 * Arena.alignment)
        let input = arena.allocateRows(rowCount, width: inputCount)
        let output = arena.allocateRows(rowCount, width: outputCount)
        for row in 0..<rowCount {
            input.withRow(row) { span in
                for index in span.indices { span[index] = Float((row * 31 + index * 17) % 255 - 127) / 128 }
            }
        }
        let panels = Panels(inputs: inputs, rowCapacity: rowCount, arena: arena)
        // Many rows compute; for them one matrix is as good as many, and stays where the engine's chunk would.
        let products = (rowCount > 8 ? copies[..<1] : copies[...]).map { matrix in
            var group = MatmulGroup(rowCount: rowCount)
            group.append(
                matrix,
                panels: panels.panels(for: matrix, of: MatmulInput(input), compute: compute),
                output: output,
                bias: nil,
                accumulates: false
            )
            return group
        }
        // The products point into the arena and the matrices without keeping them.
        return withExtendedLifetime((arena, copies)) { rate(products, rowCount: rowCount) }
    }

    private func rate(_ products: [MatmulGroup], rowCount: Int) -> Double {
        var rates: [Double] = []
        let start = ContinuousClock.now
        var index = 0
        repeat {
            let before = ContinuousClock.now
            compute.matmul(products[index % products.count])
            let seconds = before.duration(to: .now) / .seconds(1)
            if index > 0 { rates.append(Double(rowCount * outputCount * inputCount) / seconds) }
            index += 1
        } while rates.count < 3 || start.duration(to: .now) < duration
        return Spread(rates).median
    }
}
