import ApusCore
import ApusTensor
import ApusTestSupport
import Testing

@Suite struct ElementCodecTests {
    @Test(arguments: ElementType.allCases) func blocksDecodeToTheBitsOfTheReference(type: ElementType) throws {
        let fixture = try CodecFixture(type)
        let found = try ElementCodec.decode(fixture.blocks, as: type)
        let difference = FloatDifference.firstInBits([found], [fixture.decoded])
        #expect(difference == nil, "\(type): \(difference ?? "")")
    }

    @Test(arguments: ElementType.allCases) func encodingLosesNoMoreThanTheReference(type: ElementType) throws {
        guard let (inputs, blocks) = try CodecFixture(type).encoding else { return }
        let ours = try decoded(ElementCodec.encode(inputs, as: type), as: type)
        let theirs = try decoded(blocks, as: type)
        let length = 32
        for first in stride(from: 0, to: inputs.count, by: length) {
            func squaredError(_ values: [Float]) -> Double {
                (first..<first + length).reduce(0) {
                    let difference = Double(values[$1]) - Double(inputs[$1])
                    return $0 + difference * difference
                }
            }
            #expect(squaredError(ours) <= squaredError(theirs) * 1.0001, "\(type): block at \(first)")
        }
    }

    /// Inputs between -1 and 1 come back within half a step of the format's grid, a scale's own rounding included.
    @Test(arguments: ElementType.allCases) func encodingRoundsToNearest(type: ElementType) throws {
        let bounds: [ElementType: Float] = [
            .f32: 0, .f16: 5e-4, .bf16: 4e-3, .q4_0: 0.126, .q4_1: 0.068, .q5_0: 0.064, .q5_1: 0.033, .q8_0: 0.0045,
            .q2K: 0.44, .q3K: 0.27, .q4K: 0.1, .q5K: 0.06, .q6K: 0.035, .iq4NL: 0.13, .iq4XS: 0.13,
            .q3G64: 0.145, .q3G128: 0.145, .i4Row: 0.072,
        ]
        var random = SmallRandom(seed: 3)
        let inputs = (0..<4096).map { _ in random.float() }
        let found = try decoded(ElementCodec.encode(inputs, as: type), as: type)
        let error = zip(inputs, found).map { abs($0 - $1) }.max() ?? .infinity
        #expect(error <= bounds[type] ?? 0, "\(type): \(error)")
    }

    @Test(arguments: ElementType.allCases) func anInputThatIsNotFinitePoisonsItsBlock(type: ElementType) throws {
        for bad in [Float.nan, .infinity, -.infinity] {
            var inputs = [Float](repeating: 0.5, count: 256)
            inputs[17] = bad
            let found = try decoded(ElementCodec.encode(inputs, as: type), as: type)
            #expect(!found[17].isFinite, "\(type): \(bad) became \(found[17])")
        }
    }

    @Test func bytesThatAreNoWholeBlocksAreRefused() throws {
        let folder = try TemporaryFolder()
        try folder.write([1, 2, 3], to: "short")
        let bytes = try MappedFile(path: "\(folder.path)/short").bytes
        let error = #expect(throws: ApusError.self) { try ElementCodec.decode(bytes, as: .q4_0) }
        #expect(error?.message == "3 bytes are not a whole number of Q4_0 blocks")
        #expect(throws: ApusError.self) { try ElementCodec.encode([1, 2, 3], as: .q8_0) }
    }

    private func decoded(_ blocks: [UInt8], as type: ElementType) throws -> [Float] {
        let folder = try TemporaryFolder()
        try folder.write(blocks, to: "blocks")
        return try ElementCodec.decode(MappedFile(path: "\(folder.path)/blocks").bytes, as: type)
    }
}
