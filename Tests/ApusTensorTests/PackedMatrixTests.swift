import ApusCore
import ApusTensor
import ApusTestSupport
import Testing

@Suite struct PackedMatrixTests {
    static let inputCount = 512

    /// A random matrix as a file holds it, and as the kernels do.
    private struct Sample {
        let matrix: PackedMatrix
        let rows: [[Float]]

        init(_ type: ElementType, stored: ElementType? = nil, outputs: Int, arena: Arena, compute: Compute) throws {
            var random = SmallRandom(seed: UInt64(type.rawValue) + 1)
            let width = PackedMatrixTests.inputCount
            let values = (0..<outputs * width).map { _ in random.float() }
            let folder = try TemporaryFolder()
            try folder.write(ElementCodec.encode(values, as: stored ?? type, rowLength: width), to: "stored")
            try folder.write(ElementCodec.encode(values, as: type, rowLength: width), to: "held")
            let file = try MappedFile(path: "\(folder.path)/stored").bytes
            let heldFile = try MappedFile(path: "\(folder.path)/held").bytes
            let held = try ElementCodec.decode(heldFile, as: type, rowLength: width)
            let unpacked = try UnpackedMatrix(
                file,
                stored: stored ?? type,
                as: type,
                outputs: outputs,
                inputs: width,
                arena: arena,
                kernels: compute.kernels
            )
            unpacked.pack(compute)
            matrix = unpacked.matrix
            rows = (0..<outputs).map { Array(held[$0 * width..<($0 + 1) * width]) }
        }
    }

    @Test(arguments: KernelTier.available, ElementType.allCases)
    func aDecodedRowHasTheCodecsBits(tier: KernelTier, type: ElementType) throws {
        let compute = try Compute(tier: tier, threadCount: 2)
        let arena = try Arena(name: "test", byteCount: 1 << 20)
        let sample = try Sample(type, outputs: 37, arena: arena, compute: compute)
        let output = arena.allocateRows(37, width: Self.inputCount)
        for row in 0..<37 { sample.matrix.decode(row: row, into: output, at: row) }
        let difference = FloatDifference.firstInBits((0..<37).map { output.row($0) }, sample.rows)
        #expect(difference == nil, "\(difference ?? "")")
    }

    @Test(arguments: ElementType.allCases) func quantizingWhileLoadingIsEncodingTheFile(type: ElementType) throws {
        let compute = try Compute(threadCount: 2)
        let arena = try Arena(name: "test", byteCount: 1 << 20)
        let sample = try Sample(type, stored: .f32, outputs: 21, arena: arena, compute: compute)
        let output = arena.allocateRows(21, width: Self.inputCount)
        for row in 0..<21 { sample.matrix.decode(row: row, into: output, at: row) }
        let difference = FloatDifference.firstInBits((0..<21).map { output.row($0) }, sample.rows)
        #expect(difference == nil, "\(difference ?? "")")
    }

    /// Against sums in double.
    ///
    /// Quantized formats read inputs rounded to 1/254 of their group's largest magnitude
    /// (numbers.md, section 2); besides, sums of `n` floats may be off by `n` roundings.
    @Test(arguments: KernelTier.available, ElementType.allCases)
    func productsLieWithinTheRoundingOfTheInputs(tier: KernelTier, type: ElementType) throws {
        let compute = try Compute(tier: tier, threadCount: 2)
        let arena = try Arena(name: "test", byteCount: 8 << 20)
        let outputs = 37
        let sample = try Sample(type, outputs: outputs, arena: arena, compute: compute)
        var inputs = MatrixInputs()
        inputs.add(type: type, inputs: Self.inputCount)
        let bias = Vector((0..<outputs).map { Float($0) }, arena: arena)
        for rowCount in [1, 2, 3, 5, 8, 19] {
            let input = arena.allocateRows(rowCount, width: Self.inputCount)
            let output = arena.allocateRows(rowCount, width: outputs)
            var random = SmallRandom(seed: UInt64(rowCount))
            for row in 0..<rowCount {
                input.withRow(row) { span in for index in span.indices { span[index] = random.float() } }
            }
            let panels = Panels(inputs: inputs, rowCapacity: rowCount, arena: arena)
            var group = MatmulGroup(rowCount: rowCount)
            group.append(
                sample.matrix,
                panels: panels.panels(for: sample.matrix, of: MatmulInput(input), compute: compute),
                output: output,
                bias: bias.base,
                accumulates: false
            )
            compute.matmul(group)
            for row in 0..<rowCount {
                let (x, y) = (input.row(row), output.row(row))
                for (index, weights) in sample.rows.enumerated() {
                    let (expected, bound) = Self.product(weights, x, isQuantized: type.isQuantized)
                    let difference = abs(Double(y[index]) - expected - Double(index))
                    #expect(difference <= bound, "row \(row) of \(rowCount), output \(index)")
                }
            }
        }
    }

    /// The exact product and how far a kernel may be off.
    private static func product(_ weights: [Float], _ x: [Float], isQuantized: Bool) -> (value: Double, bound: Double) {
        var (value, magnitude, rounding) = (0.0, 0.0, 0.0)
        for first in stride(from: 0, to: x.count, by: 32) {
            let step = isQuantized ? Double(x[first..<first + 32].map { abs($0) }.max() ?? 0) / 254 : 0
            for index in first..<first + 32 {
                let term = Double(weights[index]) * Double(x[index])
                value += term
                magnitude += abs(term)
                rounding += abs(Double(weights[index])) * step
            }
        }
        return (value, rounding * 1.001 + (magnitude + 40) * Double(x.count) * 0x1p-24)
    }

    @Test func sizesThatDoNotMatchAreRefused() throws {
        let compute = try Compute(threadCount: 1)
        let arena = try Arena(name: "test", byteCount: 1 << 16)
        let folder = try TemporaryFolder()
        try folder.write([UInt8](repeating: 0, count: 100), to: "short")
        let file = try MappedFile(path: "\(folder.path)/short").bytes
        func load(_ type: ElementType, _ outputs: Int, _ inputs: Int) throws {
            _ = try UnpackedMatrix(
                file,
                stored: type,
                as: type,
                outputs: outputs,
                inputs: inputs,
                arena: arena,
                kernels: compute.kernels
            )
        }
        let short = #expect(throws: ApusError.self) { try load(.q8_0, 4, 32) }
        #expect(short?.message == "expected 136 bytes of Q8_0, found 100")
        let ragged = #expect(throws: ApusError.self) { try load(.q8_0, 4, 33) }
        #expect(ragged?.message == "a Q8_0 matrix cannot have rows of 33 elements")
        #expect(throws: ApusError.self) { try load(.f32, 0, 32) }
    }

    @Test(arguments: ElementType.allCases, [0x7C00, 0xFC00, 0x7E01, 0x7F80, 0xFFC0] as [UInt16])
    func everyScaleThatIsNoNumberIsRefusedWithItsRow(type: ElementType, bits: UInt16) throws {
        let compute = try Compute(threadCount: 2)
        let (outputs, inputs) = (21, 512)
        let rowBytes = try #require(type.byteCount(elementCount: inputs))
        for place in type.floatPlaces {
            let exponent: UInt16 = [.f32, .bf16, .i4Row].contains(type) ? 0x7F80 : 0x7C00
            let isInfiniteOrNaN = bits & exponent == exponent
            var bytes = [UInt8](repeating: 1, count: outputs * rowBytes)
            let offset = 17 * rowBytes + (type.rowHeaderByteCount > 0 ? 0 : type.blockByteCount) + place
            (bytes[offset], bytes[offset + 1]) = (UInt8(bits & 255), UInt8(bits >> 8))
            let folder = try TemporaryFolder()
            try folder.write(bytes, to: "matrix")
            let matrix = try UnpackedMatrix(
                MappedFile(path: "\(folder.path)/matrix").bytes,
                stored: type,
                as: type,
                outputs: outputs,
                inputs: inputs,
                arena: Arena(name: "test", byteCount: 1 << 20),
                kernels: compute.kernels
            )
            if isInfiniteOrNaN {
                let error = #expect(throws: ApusError.self) { try matrix.checkFinite(compute) }
                #expect(error?.message.hasPrefix("row 17: expected finite ") == true)
            } else {
                try matrix.checkFinite(compute)
            }
        }
    }
}
