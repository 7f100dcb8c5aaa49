import ApusCore
import ApusModels
import ApusNN
import ApusTensor
import ApusTestSupport
import Testing

/// docs/numbers.md, section 8: the same logits, bit by bit, however a model is run.
@Suite struct BitEqualityTests {
    /// Long enough for rows on both sides of block boundaries: positions 63, 64, 65 and 128.
    static let tokens = SyntheticModel.tokens(130)

    /// A model loaded for a tier, to be run by any number of threads.
    private struct Loaded {
        let tier: KernelTier
        let model: any LanguageModel

        init(_ source: ModelSource, _ type: ElementType, tier: KernelTier = .best) throws {
            self.tier = tier
            model = try source.load(quantization: type, compute: Compute(tier: tier, threadCount: 1))
        }

        func driver(threads: Int, storage: StepDriver.Storage, positions: Int = 192, sequences: Int = 1) throws
            -> StepDriver
        {
            let compute = try Compute(tier: tier, threadCount: threads)
            return try StepDriver(
                model,
                storage: storage,
                positions: positions,
                rows: positions,
                sequences: sequences,
                compute: compute
            )
        }
    }

    private static func expectSame(_ found: [[Float]], _ expected: [[Float]], _ way: String) {
        let difference = FloatDifference.firstInBits(found, expected)
        #expect(difference == nil, "\(way): \(difference ?? "")")
    }

    /// Every tier, thread count and chunk length gives the logits of the scalar tier on one thread in one step.
    private static func expectSameBits(_ source: ModelSource, _ type: ElementType, _ storage: StepDriver.Storage)
        throws
    {
        let scalar = try Loaded(source, type, tier: .scalar).driver(threads: 1, storage: storage)
        let expected = scalar.logits(of: tokens)
        #expect(!expected.joined().contains { !$0.isFinite })
        for tier in KernelTier.available where tier != .scalar {
            let loaded = try Loaded(source, type, tier: tier)
            for threads in tier == .best ? [1, 2, 3] : [1] {
                let driver = try loaded.driver(threads: threads, storage: storage)
                expectSame(driver.logits(of: tokens), expected, "\(tier), \(threads) threads")
                for chunk in [1, 7, 32] where tier == .best && threads == 2 {
                    expectSame(driver.logits(of: tokens, chunk: chunk), expected, "chunks of \(chunk)")
                }
            }
        }
    }

    @Test(arguments: SyntheticModel.all, ElementType.allCases)
    func everyTypeOfEveryFamilyGivesTheSameBits(model: SyntheticModel, type: ElementType) throws {
        try Self.expectSameBits(model.source(), type, .blocks(.f16))
    }

    @Test(arguments: SyntheticModel.all, KVType.allCases.filter { $0 != .f16 })
    func smallerKeysAndValuesGiveTheSameBits(model: SyntheticModel, type: KVType) throws {
        try Self.expectSameBits(model.source(), .q4_1, .blocks(type))
    }

    /// Nothing is quantized before R positions are there: two bits and four have the same bits till then, and not after.
    ///
    /// The first page has those of half floats, too; where there are more, sums are cut after 32 positions instead of 64.
    @Test(arguments: [
        (KVType.kivi2, KVType.kivi4), (.kivi2Residual64, .kivi4Residual64), (.kivi2Residual128, .kivi4Residual128),
    ])
    func openPagesAreExact(two: KVType, four: KVType) throws {
        let model = try Loaded(SyntheticModel.all[0].source(), .f32)
        let (halves, found, other) = try (
            model.driver(threads: 1, storage: .blocks(.f16)).logits(of: Self.tokens),
            model.driver(threads: 1, storage: .blocks(two)).logits(of: Self.tokens),
            model.driver(threads: 1, storage: .blocks(four)).logits(of: Self.tokens)
        )
        let exact = 0..<two.residualLength
        Self.expectSame(Array(found[..<32]), Array(halves[..<32]), "the first page")
        Self.expectSame(Array(found[exact]), Array(other[exact]), "the first pages")
        #expect(found[exact.upperBound] != other[exact.upperBound])
    }

    @Test(arguments: SyntheticModel.all, KVType.allCases)
    func aSequenceAmong36OthersGivesTheBitsOfALoneOne(family: SyntheticModel, kvType: KVType) throws {
        let lengths = (0..<37).map { 1 + $0 * 37 % 131 }
        let texts = lengths.enumerated().map { SyntheticModel.tokens($1, seed: UInt64($0)) }
        let model = try Loaded(family.source(), .q5_0)
        let alone = try model.driver(threads: 1, storage: .blocks(kvType))
        let expected = texts.map { alone.logits(of: $0).suffix(2) }

        let together = try model.driver(threads: 2, storage: .blocks(kvType), sequences: texts.count)
        // Every third sequence ends with two rows, the others with one.
        let lastCounts = texts.indices.map { min($0 % 3 == 0 ? 2 : 1, lengths[$0]) }
        for (sequence, text) in texts.enumerated() where text.count > lastCounts[sequence] {
            _ = together.logits(of: Array(text.dropLast(lastCounts[sequence])), sequence: sequence)
        }
        let found = together.logits(
            texts.enumerated().map { sequence, text in
                let count = lastCounts[sequence]
                return .init(sequence: sequence, position: text.count - count, tokens: text.suffix(count))
            }
        )
        let wanted = zip(expected, lastCounts).flatMap { $0.suffix($1) }
        Self.expectSame(found, wanted, "among others")
    }

    /// A chunk that isn't a prompt's last attends for no row in the last layer, past the first span of positions, too,
    /// where contexts are split: alone, and beside a sequence that generates.
    @Test(arguments: SyntheticModel.all, KVType.allCases)
    func chunksThatWantNoLogitsLeaveTheOthersTheirBits(family: SyntheticModel, kvType: KVType) throws {
        let text = SyntheticModel.tokens(600)
        let other = SyntheticModel.tokens(4, seed: 1)
        let model = try Loaded(family.source(), .q8_0)
        let alone = try model.driver(threads: 1, storage: .blocks(kvType), positions: 640)
        let expected = [alone.logits(of: text).suffix(1), ArraySlice(alone.logits(of: other))]

        let together = try model.driver(threads: 2, storage: .blocks(kvType), positions: 640, sequences: 2)
        var found: [[Float]] = []
        for (index, range) in [0..<130, 130..<299, 299..<430, 430..<560].enumerated() {
            let chunk = StepDriver.Piece(position: range.lowerBound, tokens: text[range], logitsCount: 0)
            let generating = StepDriver.Piece(sequence: 1, position: index, tokens: other[index...index])
            found += together.logits(index == 3 ? [chunk] : [chunk, generating])
        }
        let last = together.logits([
            .init(sequence: 1, position: 3, tokens: other[3...]),
            .init(position: 560, tokens: text[560...], logitsCount: 1),
        ])
        Self.expectSame(found + last, Array(expected[1] + expected[0]), "beside chunks without logits")
    }
}
