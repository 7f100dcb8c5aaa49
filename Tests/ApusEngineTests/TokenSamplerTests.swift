import ApusEngine
import Testing

@Suite struct TokenSamplerTests {
    @Test func distributionsEqualThoseOfTransformers() throws {
        for (number, fixture) in try SamplingFixture.load().enumerated() {
            var candidates = Candidates(vocabularySize: fixture.logits.count)
            let token = fixture.makeSampler().sample(fixture.logits, index: 0, candidates: &candidates)
            #expect(token != nil)
            let total = Double(candidates.totalWeight)
            var found: [String: Double] = [:]
            for rank in 0..<candidates.count where candidates.weight(rank) > 0 {
                found["\(candidates.token(rank))"] = Double(candidates.weight(rank)) / total
            }
            for (token, probability) in fixture.probabilities {
                let difference = abs((found[token] ?? 0) - probability)
                #expect(difference <= 2e-6 * probability + 1e-8, "case \(number), token \(token)")
                #expect(found[token] != nil || probability < 1e-8, "case \(number), token \(token)")
            }
            #expect(found.keys.allSatisfy { fixture.probabilities[$0] != nil }, "case \(number)")
        }
    }

    @Test func drawsFollowTheDistribution() throws {
        let fixture = try SamplingFixture.load()[2]
        let sampler = fixture.makeSampler(seed: 42)
        var candidates = Candidates(vocabularySize: fixture.logits.count)
        let drawCount = 20_000
        var counts: [Int32: Int] = [:]
        for index in 0..<drawCount {
            let token = sampler.sample(fixture.logits, index: index, candidates: &candidates)
            counts[try #require(token), default: 0] += 1
        }
        // Pearson's statistic; its mean is the number of tokens less one, its variance twice that.
        var statistic = 0.0
        for (token, probability) in fixture.probabilities {
            let expected = probability * Double(drawCount)
            let difference = Double(counts[Int32(token) ?? -1] ?? 0) - expected
            statistic += difference * difference / expected
        }
        let freedom = Double(fixture.probabilities.count - 1)
        #expect(freedom >= 40)
        #expect(statistic < freedom + 4 * (2 * freedom).squareRoot())
    }

    @Test func aTokenDependsOnSeedAndIndexAlone() throws {
        let fixture = try SamplingFixture.load()[0]
        var candidates = Candidates(vocabularySize: fixture.logits.count)
        func draw(_ seed: UInt64, _ indices: [Int]) -> [Int32?] {
            let sampler = fixture.makeSampler(seed: seed)
            return indices.map { sampler.sample(fixture.logits, index: $0, candidates: &candidates) }
        }
        let forward = draw(7, Array(0..<50))
        #expect(draw(7, Array((0..<50).reversed())) == forward.reversed())
        #expect(draw(8, Array(0..<50)) != forward)
        #expect(Set(forward).count > 3)
    }

    @Test func greedyTakesTheLargestAndTheLowestIdAmongEquals() {
        let cases: [([Float], Int32?)] = [
            ([1, 3, 2, 3], 1), ([-2, -1, -1], 1), ([-0.0, 0, -1], 0), ([0, -0.0], 0),
            ([-.infinity, -5], 1), ([.nan, 1], nil), ([1, .nan], nil), ([1, .infinity], nil),
            ([-.infinity, -.infinity], nil), ([], nil),
        ]
        let sampler = TokenSampler(.greedy, seed: 0, prompt: [0], tokenLimit: 2)
        for (logits, expected) in cases {
            var candidates = Candidates(vocabularySize: logits.count)
            #expect(sampler.sample(logits, index: 0, candidates: &candidates) == expected, "\(logits)")
        }
    }

    @Test func penaltiesAndBiasReachGreedyGeneration() {
        let parameters = SamplingParameters(
            temperature: 0,
            repetitionPenalty: 2,
            presencePenalty: 1,
            logitBias: [3: -.infinity]
        )
        var sampler = TokenSampler(parameters, seed: 0, prompt: [0], tokenLimit: 9)
        var candidates = Candidates(vocabularySize: 4)
        // The prompt's 0 stands at 10 / 2 = 5; once generated, 1 falls to 6 / 2 - 1 = 2 and 0 to 10 / 2 - 1 = 4.
        let logits: [Float] = [10, 6, 4.5, 50]
        var generated: [Int32] = []
        for index in 0..<4 {
            guard let token = sampler.sample(logits, index: index, candidates: &candidates) else { break }
            sampler.accept(token)
            generated.append(token)
        }
        #expect(generated == [1, 0, 2, 0])
    }

    @Test func extremeTemperaturesStayWithinTheNumbers() {
        let logits: [Float] = [3, 1e30, -1e30, 1e30, 2]
        var candidates = Candidates(vocabularySize: logits.count)
        for temperature in [Float.leastNonzeroMagnitude, 1e-30, 1, 100] {
            let parameters = SamplingParameters(temperature: temperature, topK: 0, topP: 1, minP: 0, typicalP: 0.9)
            let sampler = TokenSampler(parameters, seed: 3, prompt: [0], tokenLimit: 2)
            for index in 0..<20 {
                let token = sampler.sample(logits, index: index, candidates: &candidates)
                #expect(token == 1 || token == 3)
            }
        }
    }

    @Test func theRepetitionWindowForgetsTheOldestToken() {
        let tokens = (0..<200).map { Int32(($0 * $0 + $0 / 3) % 17) }
        for window in [1, 2, 5, 64] {
            var penalty = RepetitionPenalty(
                penalty: 2,
                window: window,
                prompt: Array(tokens[..<20]),
                tokenLimit: tokens.count
            )
            for end in 20..<tokens.count {
                var row = Array(repeating: Float(1), count: 17)
                var span = row.mutableSpan
                penalty.process(&span)
                let recent = Set(tokens[max(0, end - window)..<end])
                #expect((0..<17).allSatisfy { row[$0] == (recent.contains(Int32($0)) ? 0.5 : 1) })
                penalty.accept(tokens[end])
            }
        }
    }
}
