/// The tokens a draw may still choose, in descending order of logit, then ascending id, with their weights.
///
/// Logits and ids are packed into integers whose ascending order is that order. One value serves all requests of an
/// engine: its memory is reserved once, for a whole vocabulary, and touched only as far as candidates reach.
package struct Candidates {
    /// Sort keys; see `key(logit:token:)`.
    private var keys: [UInt64] = []
    /// Each candidate's unnormalized probability: 1 for the largest logit.
    private var weights: [Float] = []
    /// Sort keys of another order, for filters that rank anew.
    private var ranking: [UInt64] = []
    private var sorter: KeySorter

    /// Reserves memory for a vocabulary.
    package init(vocabularySize: Int) {
        keys.reserveCapacity(vocabularySize)
        weights.reserveCapacity(vocabularySize)
        ranking.reserveCapacity(vocabularySize)
        sorter = KeySorter(capacity: vocabularySize)
    }

    /// How many tokens are left.
    package var count: Int { keys.count }

    /// The id of the candidate at a rank.
    package func token(_ rank: Int) -> Int32 { Int32(truncatingIfNeeded: keys[rank]) }

    /// The logit of the candidate at a rank.
    package func logit(_ rank: Int) -> Float { Self.value(keys[rank]) }

    /// The unnormalized probability of the candidate at a rank.
    package func weight(_ rank: Int) -> Float { weights[rank] }

    /// The sum of all weights, in order of rank (docs/numbers.md, section 7).
    package var totalWeight: Float {
        var sum: Float = 0
        for weight in weights { sum += weight }
        return sum
    }

    /// Takes the tokens whose logit is at least `floor`, or the `limit` largest of them if `limit` is not 0.
    package mutating func select(from logits: Span<Float>, floor: Float, limit: Int) {
        keys.removeAll(keepingCapacity: true)
        weights.removeAll(keepingCapacity: true)
        if limit > 0 && limit <= Self.heapLimit {
            selectLargest(limit, from: logits, floor: floor)
            return
        }
        for token in 0..<logits.count where logits[token] >= floor {
            keys.append(Self.key(logits[token], token))
        }
        sorter.sort(&keys)
        if limit > 0 { keepFirst(limit) }
    }

    /// Sets the weights to `exp((logit - largest) / temperature)`.
    package mutating func weigh(temperature: Float) {
        weights.removeAll(keepingCapacity: true)
        guard count > 0 else { return }
        let largest = logit(0)
        for key in keys { weights.append(exponential((Self.value(key) - largest) / temperature)) }
    }

    /// Keeps the first `count` candidates.
    package mutating func keepFirst(_ count: Int) {
        keys.removeLast(max(0, keys.count - count))
        weights.removeLast(max(0, weights.count - count))
    }

    /// Keeps the candidates with the smallest deviations, as few as reach `weight` together; their order stays.
    /// - Parameter deviation: of a weight; not negative.
    package mutating func keepNearest(reaching wanted: Float, deviation: (Float) -> Float) {
        ranking.removeAll(keepingCapacity: true)
        for rank in 0..<count { ranking.append(Self.key(-deviation(weights[rank]), rank)) }
        sorter.sort(&ranking)
        var reached: Float = 0
        var farthest = UInt64.max
        for key in ranking {
            reached += weights[Self.index(key)]
            if reached >= wanted {
                farthest = key
                break
            }
        }
        var kept = 0
        for rank in 0..<count where Self.key(-deviation(weights[rank]), rank) <= farthest {
            keys[kept] = keys[rank]
            weights[kept] = weights[rank]
            kept += 1
        }
        keepFirst(kept)
    }

    /// Keeps a heap of the `limit` best tokens seen so far, the worst of them on top, and sorts it at the end.
    private mutating func selectLargest(_ limit: Int, from logits: Span<Float>, floor: Float) {
        var token = 0
        while token < logits.count && keys.count < limit {
            if logits[token] >= floor {
                keys.append(Self.key(logits[token], token))
                KeySorter.siftUp(&keys)
            }
            token += 1
        }
        guard var worst = keys.first.map(Self.value) else { return }
        while token < logits.count {
            // An equal logit with a higher id ranks behind.
            if logits[token] > worst {
                keys[0] = Self.key(logits[token], token)
                KeySorter.siftDown(&keys, 0, keys.count)
                worst = Self.value(keys[0])
            }
            token += 1
        }
        KeySorter.sortHeap(&keys)
    }

    /// Up to this many, a heap beats sorting everything.
    private static let heapLimit = 1024

    /// A key that ascends as the value descends and, among equal values, as the index ascends.
    private static func key(_ value: Float, _ index: Int) -> UInt64 {
        // Adding zero makes the two zeros equal.
        let bits = (value + 0).bitPattern
        let ascending = bits >> 31 == 1 ? ~bits : bits | 0x8000_0000
        return UInt64(~ascending) << 32 | UInt64(UInt32(truncatingIfNeeded: index))
    }

    private static func value(_ key: UInt64) -> Float {
        let ascending = ~UInt32(truncatingIfNeeded: key >> 32)
        return Float(bitPattern: ascending >> 31 == 1 ? ascending & 0x7fff_ffff : ~ascending)
    }

    private static func index(_ key: UInt64) -> Int { Int(UInt32(truncatingIfNeeded: key)) }
}
