import ApusEngine
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

    @Test(arguments: [1, 2, 60, 256, 257, 5000], [0, 1, 3, 40, 1024, 1025, 9000])
    func candidatesAreInDescendingOrderThenById(count: Int, limit: Int) {
        let logits = Self.logits(count)
        for floor in [-Float.greatestFiniteMagnitude, -10, 63.875, 64] {
            var candidates = Candidates(vocabularySize: count)
            candidates.select(from: logits.span, floor: floor, limit: limit)
            let sorted = logits.indices.filter { logits[$0] >= floor }.sorted {
                logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1
            }
            let expected = limit == 0 ? sorted : Array(sorted.prefix(limit))
            #expect((0..<candidates.count).map { Int(candidates.token($0)) } == expected)
            #expect((0..<candidates.count).map { candidates.logit($0) } == expected.map { logits[$0] })
        }
    }
}
