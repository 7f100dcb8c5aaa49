import ApusCore
import ApusTensor
import ApusTestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Conversions whose columns count differently.
@Suite struct WeightedConversionTests {
    private static let types = ElementType.allCases.filter(\.isQuantized)

    /// Random weights in rows, and importance over four orders of magnitude, its mean around 1.
    private struct Sample {
        let width: Int
        let values: [Float]
        let importance: [Float]
        private let folder: TemporaryFolder

        init(width: Int, rows: Int, seed: UInt64 = 5) throws {
            var random = SmallRandom(seed: seed)
            self.width = width
            values = (0..<width * rows).map { _ in random.float() * random.float() * 0.1 }
            importance = (0..<width).map { _ in exp(5 * random.float()) / 15 }
            folder = try TemporaryFolder()
            try folder.write(values.withUnsafeBytes { Array($0) }, to: "values")
        }

        func converted(
            to type: ElementType,
            weighted: Bool,
            elements: Range<Int>? = nil,
            threads: Int = 2
        ) throws -> [UInt8] {
            let bytes = try MappedFile(path: "\(folder.path)/values").bytes
            let elements = elements ?? 0..<values.count
            let part = try #require(bytes.slice(offset: 4 * elements.lowerBound, count: 4 * elements.count))
            let conversion = try ElementConversion(
                from: .f32,
                to: type,
                rowLength: width,
                importance: weighted ? importance : []
            )
            let compute = try Compute(threadCount: threads)
            return try part.withSpan { try conversion.convert($0, from: elements.lowerBound, compute: compute) }
        }

        func decoded(_ blocks: [UInt8], as type: ElementType) throws -> [Float] {
            try folder.write(blocks, to: "blocks")
            return try ElementCodec.decode(MappedFile(path: "\(folder.path)/blocks").bytes, as: type, rowLength: width)
        }

        /// The weighted squared error of a block.
        func error(_ found: [Float], _ block: Range<Int>, _ type: ElementType) -> Double {
            let weights = weights(block, type)
            return block.reduce(0) {
                let difference = Double(found[$1]) - Double(values[$1])
                return $0 + weights[$1 - block.lowerBound] * difference * difference
            }
        }

        /// Importance times the root of the mean square, as often as the type says, and the square: as llama.cpp weighs
        /// (`quantize_row_*_impl`); importance alone for Q6_K.
        func weights(_ block: Range<Int>, _ type: ElementType) -> [Double] {
            let spreads: [ElementType: Double] = [.q2K: 1, .q3K: 2, .q4K: 2, .q5K: 2, .iq4NL: 2, .iq4XS: 2]
            let square = block.reduce(0) { $0 + Double(values[$1]) * Double(values[$1]) } / Double(block.count)
            return block.map { index in
                let value = Double(values[index])
                let size = type == .q6K ? 1 : ((spreads[type] ?? 1) * square + value * value).squareRoot()
                return Double(importance[index % width]) * size
            }
        }
    }

    @Test(arguments: types) func noBlockIsWorseThanUnweighted(type: ElementType) throws {
        let sample = try Sample(width: 768, rows: 40)
        let weighted = try sample.decoded(sample.converted(to: type, weighted: true), as: type)
        let plain = try sample.decoded(sample.converted(to: type, weighted: false), as: type)
        var (sum, plainSum) = (0.0, 0.0)
        for first in stride(from: 0, to: sample.values.count, by: type.blockLength) {
            let block = first..<first + type.blockLength
            let (error, plainError) = (sample.error(weighted, block, type), sample.error(plain, block, type))
            #expect(error <= plainError * 1.00001, "\(type): block at \(first)")
            (sum, plainSum) = (sum + error, plainSum + plainError)
        }
        #expect(type == .q8_0 || type == .i4Row ? sum == plainSum : sum < 0.8 * plainSum, "\(type): \(sum / plainSum)")
    }

    /// A row's scale is its largest weight's: no stretch of elements may be cut anywhere else.
    @Test func rowsWithAScaleOfTheirOwnAreConvertedWhole() throws {
        let sample = try Sample(width: 96, rows: 700)
        let whole = try sample.converted(to: .i4Row, weighted: false)
        #expect(whole.count == 700 * 52)
        #expect(try whole == ElementCodec.encode(sample.values, as: .i4Row, rowLength: 96))
        let rest = try sample.converted(to: .i4Row, weighted: false, elements: 96 * 300..<sample.values.count)
        #expect(whole.suffix(rest.count) == rest[...])
        #expect(throws: ApusError.self) { try sample.converted(to: .i4Row, weighted: false, elements: 0..<100 * 32) }
        #expect(throws: ApusError.self) { try ElementConversion(from: .f32, to: .i4Row, rowLength: 1 << 20) }
        let back = try ElementConversion(from: .i4Row, to: .f32, rowLength: 96)
        let compute = try Compute(threadCount: 2)
        let floats = try back.convert(whole.span.bytes, compute: compute)
        #expect(try sample.decoded(floats, as: .f32) == sample.decoded(whole, as: .i4Row))
    }

    /// Rows of 96 and units of threads that begin and end inside rows.
    @Test(arguments: [ElementType.q4_0, .q5_1, .iq4NL]) func columnsAreThoseOfTheRow(type: ElementType) throws {
        let sample = try Sample(width: 96, rows: 700)
        let whole = try sample.converted(to: type, weighted: true)
        #expect(try whole == sample.converted(to: type, weighted: true, threads: 1))
        let rowByRow = try (0..<700).flatMap {
            try sample.converted(to: type, weighted: true, elements: $0 * 96..<($0 + 1) * 96, threads: 1)
        }
        #expect(whole == rowByRow)
        let rest = try sample.converted(to: type, weighted: true, elements: 160..<sample.values.count)
        #expect(whole.suffix(rest.count) == rest[...])
    }

    /// Every scale that binary16 has, with the nearest codes: no search can find less.
    @Test(arguments: [(ElementType.q4_0, -8, 7), (.q5_0, -16, 15)])
    func blocksComeCloseToTheBestOfAllScales(type: ElementType, bottom: Int, top: Int) throws {
        let sample = try Sample(width: 32, rows: 12, seed: 9)
        let found = try sample.decoded(sample.converted(to: type, weighted: true), as: type)
        var (sum, leastSum) = (0.0, 0.0)
        for first in stride(from: 0, to: sample.values.count, by: 32) {
            let block = first..<first + 32
            let weights = sample.weights(block, type)
            var least = Double.infinity
            for bits in UInt16(1)..<0x7C00 {
                let magnitude = Double(Self.float(half: bits))
                // Larger and smaller scales than these cannot be the best: no element is above 0.1.
                guard magnitude > 1e-4, magnitude < 0.1 else { continue }
                for scale in [magnitude, -magnitude] {
                    var error = 0.0
                    for (index, weight) in zip(block, weights) where error < least {
                        let value = Double(sample.values[index])
                        let code = min(max((value / scale).rounded(), Double(bottom)), Double(top))
                        error += weight * (value - scale * code) * (value - scale * code)
                    }
                    least = min(least, error)
                }
            }
            let error = sample.error(found, block, type)
            #expect(error >= least * 0.99999 && error <= least * 1.25, "\(type): \(error / least)")
            (sum, leastSum) = (sum + error, leastSum + least)
        }
        #expect(sum <= leastSum * 1.05, "\(type): \(sum / leastSum)")
    }

    /// Where all that counts lies on a grid of the type, the optimum is that grid.
    @Test(arguments: [ElementType.q4_0, .q4_1, .q5_0, .q5_1]) func anElementThatDoesNotCountIsGivenUp(type: ElementType)
        throws
    {
        let folder = try TemporaryFolder()
        var values = (0..<32).map { Float($0 * 7 % 15 - 7) * 0.125 }
        var importance = [Float](repeating: 1, count: 32)
        (values[5], importance[5]) = (1.05, 1e-6)
        let path = try folder.write(values.withUnsafeBytes { Array($0) }, to: "values")
        let conversion = try ElementConversion(from: .f32, to: type, rowLength: 32, importance: importance)
        let compute = try Compute(threadCount: 1)
        let blocks = try MappedFile(path: path).bytes.withSpan { try conversion.convert($0, compute: compute) }
        let found = try ElementCodec.decode(MappedFile(path: folder.write(blocks, to: "blocks")).bytes, as: type)
        for index in values.indices where index != 5 {
            #expect(abs(found[index] - values[index]) < 2e-3, "\(type): element \(index)")
        }
    }

    private static func float(half bits: UInt16) -> Float {
        let (exponent, fraction) = (Int(bits >> 10), Float(bits & 0x3FF))
        return exponent == 0 ? fraction * 0x1p-24 : (1 + fraction / 1024) * exp2(Float(exponent - 15))
    }
}
