import ApusEngine
import Foundation
import Testing

@Suite struct CandidatesTests {
    /// Logits with many equal values, both zeros and both infinities.
    private static func logits(_ count: Int) -> [Float] {
        var state: UInt64 = 12345
        var logits = (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (Float(state >> 54) - 512) / 8
        }
        for index in stride(from: 0, to: count, by: 97) { logits[index] = -.infinity }
        for index in stride(from: 5, to: count, by: 89) { logits[index] = -0.0 }
        return logits
    }

    /// Indices in descending order of value, equal ones ascending.
    private static func descending(_ logits: [Float]) -> [Int] {
        logits.indices.sorted { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
    }

    @Test(arguments: [1, 2, 60, 256, 257, 5000], [1, 3, 40, 1024, 1025, 9000])
    func theLargestAreInDescendingOrderThenById(count: Int, limit: Int) {
        let logits = Self.logits(count)
        var candidates = Candidates(vocabularySize: count)
        candidates.selectLargest(limit, from: logits.span)
        let expected = Self.descending(logits).filter { logits[$0] > -.infinity }.prefix(limit)
        #expect((0..<candidates.count).map { Int(candidates.token($0)) } == Array(expected))
        #expect((0..<candidates.count).map { candidates.logit($0) } == expected.map { logits[$0] })
    }

    @Test(arguments: [2, 17, 256, 5000], [1e-6 as Float, 0.3, 0.9, 0.999, 1])
    func sortingKeepsTheLikeliestThatReachAWeight(count: Int, fraction: Float) throws {
        let logits = Self.logits(count)
        var candidates = Candidates(vocabularySize: count)
        candidates.selectAll(from: logits.span, largest: try #require(logits.max()))
        candidates.weigh(temperature: 1)
        let total = candidates.totalWeight
        candidates.sort(reaching: fraction * total)
        let kept = (0..<candidates.count).map { Int(candidates.token($0)) }
        #expect(kept == Array(Self.descending(logits).prefix(kept.count)))
        #expect((0..<candidates.count).map { candidates.logit($0) } == kept.map { logits[$0] })
        #expect(candidates.totalWeight >= fraction * total * 0.99999)
        #expect(candidates.weight(0) == 1)
    }

    @Test func weightsAreThoseOfTheDefinition() {
        let logits = Self.logits(1000)
        var candidates = Candidates(vocabularySize: 1000)
        candidates.selectLargest(900, from: logits.span)
        for temperature in [1 as Float, 0.7, 3] {
            candidates.weigh(temperature: temperature)
            for rank in 0..<candidates.count {
                let exact = Foundation.exp(Double((candidates.logit(rank) - candidates.logit(0)) / temperature))
                let found = Double(candidates.weight(rank))
                #expect(abs(found - exact) <= 2e-7 * exact + 2e-38)
            }
        }
    }

    @Test func aThresholdKeepsTheOrder() {
        let logits: [Float] = [0, -1, 5, 4, -.infinity, 5, 3]
        var candidates = Candidates(vocabularySize: 7)
        candidates.selectAll(from: logits.span, largest: 5)
        candidates.weigh(temperature: 1)
        candidates.keep(atLeast: 0.13)
        #expect((0..<candidates.count).map { candidates.token($0) } == [2, 3, 5, 6])
        #expect((0..<candidates.count).map { candidates.logit($0) } == [5, 4, 5, 3])
    }
}
