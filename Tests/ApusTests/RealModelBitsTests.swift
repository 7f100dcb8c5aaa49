import Apus
import ApusCore
import ApusModels
import ApusNN
import ApusTensor
import ApusTestSupport
import ApusTokenizers
import Testing

/// On real models: 128 greedy tokens and their logits' bits, however the model is run.
///
/// The tokens are generated one at a time on the best tier with two threads. Every other way then computes the same
/// text and must give the same bits at every position, and so would have chosen the same tokens.
@Suite(.serialized) struct RealModelBitsTests {
    static let tokenCount = 128
    static let text = """
        The spider sat in the middle of its web and waited, because waiting is most of the work. In the morning, when \
        the sun rose over the hill, the threads shone like silver.
        """
    /// How many tokens the scalar tier gets: it is the definition, not quick.
    static let scalarCounts: [RealModel: Int] = [
        .smolLM2: 40, .gemma3: 16, .qwenHalfBillion: 8, .qwenOneAndAHalfBillion: 3,
    ]

    /// A model's greedy text.
    private struct Generation {
        let tokens: [Int32]
        let digests: [LogitsDigest]

        init(_ driver: StepDriver, prompt: [Int32]) {
            var tokens = prompt
            var digests = driver.digests(of: prompt, chunk: 1)
            for _ in 0..<RealModelBitsTests.tokenCount {
                guard let last = digests.last else { break }
                tokens.append(last.largest)
                digests += driver.digests([.init(position: tokens.count - 1, tokens: tokens.suffix(1))])
            }
            self.tokens = tokens
            self.digests = digests
        }

        /// Whether the digests of the first `count` positions are those found.
        func begins(with found: [LogitsDigest]) -> Bool { digests.prefix(found.count).elementsEqual(found) }
    }

    private static func driver(
        _ file: ModelFile,
        _ tier: KernelTier,
        threads: Int,
        sequences: Int = 1,
        positions: Int = 256,
        storage: StepDriver.Storage = .blocks(.f16)
    ) throws -> StepDriver {
        let compute = try Compute(tier: tier, threadCount: threads)
        return try StepDriver(
            file.model().load(compute: compute),
            storage: storage,
            positions: positions,
            rows: min(positions, 512),
            sequences: sequences,
            compute: compute
        )
    }

    @Test(arguments: RealModel.wanted) func aRealModelGivesTheSameBits(model: RealModel) throws {
        let file = try ModelFile(path: model.path)
        let prompt = try file.tokenizer().encode(Self.text)
        let best = try Self.driver(file, .best, threads: 2, sequences: 8)
        let generation = Generation(best, prompt: prompt)
        let tokens = generation.tokens
        #expect(tokens.count == prompt.count + Self.tokenCount)
        for chunk in [7, 32, 512] {
            #expect(generation.begins(with: best.digests(of: tokens, chunk: chunk)), "chunks of \(chunk)")
        }
        let among = Self.amongOthers(best, tokens, count: Self.tokenCount)
        #expect(among == generation.digests.suffix(Self.tokenCount))

        #expect(generation.begins(with: try Self.driver(file, .best, threads: 1).digests(of: tokens)), "1 thread")
        for tier in KernelTier.available where tier != .best {
            let count = tier == .scalar ? Self.scalarCounts[model] ?? 0 : tokens.count
            let found = try Self.driver(file, tier, threads: 2).digests(of: Array(tokens.prefix(count)), chunk: 32)
            #expect(found.count == count && generation.begins(with: found), "\(tier)")
        }
    }

    /// A prompt over many KV blocks and more than one attention span, and every way to compute it but two that take
    /// minutes: chunks of one token, and the scalar tier.
    @Test(.enabled(if: RealModel.smolLM2.isWanted), arguments: KVType.allCases)
    func aLongPromptGivesTheSameBits(kvType: KVType) throws {
        let file = try ModelFile(path: RealModel.smolLM2.path)
        let text = (1...20).map { "\($0). \(Self.text)" }.joined(separator: "\n")
        let tokens = Array(try file.tokenizer().encode(text).prefix(700))
        #expect(tokens.count == 700)
        func driver(_ tier: KernelTier, threads: Int, sequences: Int = 1) throws -> StepDriver {
            let storage = StepDriver.Storage.blocks(kvType)
            return try Self.driver(
                file,
                tier,
                threads: threads,
                sequences: sequences,
                positions: 704,
                storage: storage
            )
        }
        let best = try driver(.best, threads: 2, sequences: 8)
        let expected = best.digests(of: tokens, chunk: 32)
        #expect(Set(expected.map(\.hash)).count > 600)
        for chunk in [7, 512] { #expect(best.digests(of: tokens, chunk: chunk) == expected, "chunks of \(chunk)") }
        #expect(Self.amongOthers(best, tokens, count: 16) == expected.suffix(16))
        #expect(try driver(.best, threads: 1).digests(of: tokens, chunk: 512) == expected, "1 thread")
        for tier in KernelTier.available where tier != .best && tier != .scalar {
            #expect(try driver(tier, threads: 2).digests(of: tokens, chunk: 512) == expected, "\(tier)")
        }
    }

    /// The last positions computed one at a time, in steps with seven other sequences at other positions.
    private static func amongOthers(_ driver: StepDriver, _ tokens: [Int32], count: Int) -> ArraySlice<LogitsDigest> {
        let start = tokens.count - count
        // Each is the text from another place on, so that neighbours differ in token and position.
        let others = (1..<8).map { Array(tokens.dropFirst($0)) }
        _ = driver.digests(of: Array(tokens.prefix(start)), chunk: 128, sequence: 0)
        var found: [LogitsDigest] = []
        for position in start..<tokens.count {
            let pieces = others.enumerated().map { index, text in
                StepDriver.Piece(
                    sequence: index + 1,
                    position: position - start,
                    tokens: text[(position - start)..<(position - start + 1)]
                )
            }
            let own = StepDriver.Piece(sequence: 0, position: position, tokens: tokens[position...position])
            let digests = driver.digests(pieces.prefix(3) + [own] + pieces.suffix(4))
            found.append(digests[3])
        }
        return found[...]
    }
}
