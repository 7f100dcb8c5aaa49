import ApusCore
import ApusTensor
import ApusTestSupport
import Testing

/// Codes under scales that stay.
@Suite struct ElementGridTests {
    private static let types = ElementType.allCases.filter { ElementCodec.topCode(of: $0) != nil }

    @Test func typesWithEvenLevelsHaveGrids() {
        let without: [ElementType] = [.f32, .f16, .bf16, .iq4NL, .iq4XS]
        #expect(Self.types == ElementType.allCases.filter { !without.contains($0) })
    }

    @Test(arguments: types) func valuesOfBlocksLieOnTheirGridAndSnapToThemselves(type: ElementType) throws {
        let fixture = try CodecFixture(type)
        var bytes = fixture.blocks.withUnsafeBytes { Array($0) }
        let ofBytes = ElementCodec.grid(of: bytes.span.bytes, as: type)
        let grid = try #require(ofBytes)
        let topCode = try #require(ElementCodec.topCode(of: type))
        for (index, value) in fixture.decoded.enumerated() {
            let (step, origin) = (grid.steps[index], grid.origins[index])
            let distance = (0...topCode).map { abs(origin + step * Float($0) - value) }.min() ?? .infinity
            #expect(distance <= (abs(origin) + abs(value)) * 0x1p-23, "\(type): element \(index)")
        }
        // Away and back: the scales are what they were.
        let below = zip(grid.origins, grid.steps).map { $0 - 9 * $1 }
        ElementCodec.snap(below.span, to: &bytes, as: type)
        ElementCodec.snap(fixture.decoded.span, to: &bytes, as: type)
        let folder = try TemporaryFolder()
        let found = try ElementCodec.decode(MappedFile(path: folder.write(bytes, to: "blocks")).bytes, as: type)
        // As numbers: where the step is 0, a zero may have another sign.
        #expect(found == fixture.decoded)
    }

    @Test(arguments: types) func otherValuesGetTheNearestCodeAndThoseBeyondTheEndsTheLast(type: ElementType) throws {
        var random = SmallRandom(seed: 4)
        var bytes = try ElementCodec.encode((0..<512).map { _ in random.float() }, as: type)
        let ofBytes = ElementCodec.grid(of: bytes.span.bytes, as: type)
        let grid = try #require(ofBytes)
        let topCode = try #require(ElementCodec.topCode(of: type))
        let values = zip(grid.steps, grid.origins).map { $1 + $0 * Float(topCode) * (0.5 + 0.7 * random.float()) }
        ElementCodec.snap(values.span, to: &bytes, as: type)
        let folder = try TemporaryFolder()
        let found = try ElementCodec.decode(MappedFile(path: folder.write(bytes, to: "blocks")).bytes, as: type)
        for index in values.indices {
            let places = (0...topCode).map { grid.origins[index] + grid.steps[index] * Float($0) }
            let least = places.map { abs($0 - values[index]) }.min() ?? 0
            #expect(abs(found[index] - values[index]) <= least + 1e-6, "\(type): element \(index)")
        }
    }
}
