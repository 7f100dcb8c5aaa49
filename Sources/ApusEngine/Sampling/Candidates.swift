internal import ApusTensor

/// The tokens a draw may still choose, with their weights: at first in order of id, once sorted in descending order of
/// logit, then ascending id.
///
/// Sorting is for those that need it: a vocabulary has more tokens than a draw looks at. One value serves all requests
/// of an engine; its memory is reserved once, for a whole vocabulary.
package struct Candidates {
    private let vocabularySize: Int
    /// How many tokens are left: the first of each array.
    package private(set) var count = 0
    private var tokens: [Int32]
    private var logits: [Float]
    /// Each candidate's unnormalized probability.
    private var weights: [Float]
    private var isSorted = true
    /// The largest logit among the candidates.
    private var largest: Float = 0
    /// What the weights are: `exp((logit - shift) / temperature)`.
    private var shift: Float = 0
    private var temperature: Float = 1
    /// Sort keys; see `key(_:_:)`.
    private var keys: [UInt64] = []
    private var sorter: KeySorter
    private let kernels = KernelTable.current

    /// Reserves memory for a vocabulary.
    package init(vocabularySize: Int) {
        self.vocabularySize = vocabularySize
        tokens = Array(repeating: 0, count: vocabularySize)
        logits = Array(repeating: 0, count: vocabularySize)
        weights = Array(repeating: 0, count: vocabularySize)
        keys.reserveCapacity(vocabularySize)
        sorter = KeySorter(capacity: vocabularySize)
    }

    /// The id of the candidate at a rank.
    package func token(_ rank: Int) -> Int32 { tokens[rank] }

    /// The logit of the candidate at a rank.
    package func logit(_ rank: Int) -> Float { logits[rank] }

    /// The unnormalized probability of the candidate at a rank.
    package func weight(_ rank: Int) -> Float { weights[rank] }

    /// The natural logarithm of the weight of the candidate at a rank.
    package func logWeight(_ rank: Int) -> Float { (logits[rank] - shift) / temperature }

    /// The sum of all weights, over 16 lanes in the present order (docs/numbers.md, section 7).
    package var totalWeight: Float { weightSum(atLeast: 0) }

    /// The largest weight.
    package var largestWeight: Float {
        isSorted ? weights[0] : weights.span.extracting(first: count).largest
    }

    private func weightSum(atLeast threshold: Float) -> Float {
        var sum = LaneSum()
        sum.add(weights.span.extracting(first: count), atLeast: threshold)
        return sum.total
    }

    // MARK: Selecting

    /// Takes all tokens.
    /// - Parameter largest: the largest of the logits.
    package mutating func selectAll(from row: Span<Float>, largest: Float) {
        precondition(row.count == vocabularySize)
        for token in 0..<row.count {
            tokens[token] = Int32(truncatingIfNeeded: token)
            logits[token] = row[token]
        }
        (count, isSorted, self.largest) = (row.count, false, largest)
    }

    /// Takes the `limit` largest logits, sorted; negative infinity is left out.
    package mutating func selectLargest(_ limit: Int, from row: Span<Float>) {
        keys.removeAll(keepingCapacity: true)
        if limit <= Self.heapLimit {
            fillHeap(limit, from: row)
        } else {
            for token in 0..<row.count where row[token] > -.infinity { keys.append(Self.key(row[token], token)) }
            sorter.sort(&keys)
            keys.removeLast(max(0, keys.count - limit))
        }
        takeKeys()
    }

    /// Up to this many, a heap beats sorting everything.
    private static let heapLimit = 1024

    /// Keeps a heap of the `limit` best tokens seen so far, the worst of them on top, and sorts it at the end.
    private mutating func fillHeap(_ limit: Int, from row: Span<Float>) {
        var token = 0
        while token < row.count && keys.count < limit {
            if row[token] > -.infinity {
                keys.append(Self.key(row[token], token))
                KeySorter.siftUp(&keys)
            }
            token += 1
        }
        guard var worst = keys.first.map(Self.value) else { return }
        // An equal logit with a higher id ranks behind.
        while let next = row.first(above: worst, from: token) {
            keys[0] = Self.key(row[next], next)
            KeySorter.siftDown(&keys, 0, keys.count)
            worst = Self.value(keys[0])
            token = next + 1
        }
        KeySorter.sortHeap(&keys)
    }

    /// Takes tokens and logits from the sorted keys.
    private mutating func takeKeys() {
        for (rank, key) in keys.enumerated() {
            tokens[rank] = Int32(truncatingIfNeeded: key)
            logits[rank] = Self.value(key)
        }
        (count, isSorted) = (keys.count, true)
        if count > 0 { largest = logits[0] }
    }

    // MARK: Weights

    /// Sets the weights to `exp((logit - largest) / temperature)`.
    package mutating func weigh(temperature: Float) {
        (shift, self.temperature) = (largest, temperature)
        computeWeights()
    }

    private mutating func computeWeights() {
        guard temperature != 1 else {
            let logits = logits
            kernels.exponentials(of: logits.span.extracting(first: count), minus: shift, into: &weights)
            return
        }
        for rank in 0..<count { weights[rank] = logWeight(rank) }
        kernels.exponentials(inPlace: &weights, first: count)
    }

    // MARK: Narrowing

    /// Keeps the first `count` candidates.
    package mutating func keepFirst(_ count: Int) { self.count = min(self.count, count) }

    /// Keeps the candidates that weigh at least `threshold`; their order stays.
    ///
    /// The likeliest must be among them.
    package mutating func keep(atLeast threshold: Float) {
        var kept = 0
        var next = 0
        while let rank = weights.span.extracting(first: count).first(atLeast: threshold, from: next) {
            move(rank, to: kept)
            kept += 1
            next = rank + 1
        }
        count = kept
    }

    private mutating func move(_ rank: Int, to target: Int) {
        tokens[target] = tokens[rank]
        logits[target] = logits[rank]
        weights[target] = weights[rank]
    }

    /// Sorts the candidates, dropping unlikely ones without which the others reach `wanted`, a sum of weights.
    ///
    /// Those stay that weigh at least 2^-3, or 2^-6 and so on if that is not enough.
    package mutating func sort(reaching wanted: Float) {
        guard !isSorted else { return }
        var threshold: Float = 0x1p-3
        while threshold > 0, weightSum(atLeast: threshold) < wanted { threshold *= 0x1p-3 }
        keep(atLeast: threshold)
        keys.removeAll(keepingCapacity: true)
        for rank in 0..<count { keys.append(Self.key(logits[rank], Int(tokens[rank]))) }
        sorter.sort(&keys)
        takeKeys()
        computeWeights()
    }

    /// Keeps the candidates with the smallest deviations, as few as reach `weight` together; their order stays.
    /// - Parameter deviation: of the logarithm of a weight; not negative.
    package mutating func keepNearest(reaching wanted: Float, deviation: (Float) -> Float) {
        keys.removeAll(keepingCapacity: true)
        for rank in 0..<count { keys.append(Self.key(-deviation(logWeight(rank)), rank)) }
        sorter.sort(&keys)
        var reached: Float = 0
        var farthest = UInt64.max
        for key in keys {
            reached += weights[Self.index(key)]
            if reached >= wanted {
                farthest = key
                break
            }
        }
        var kept = 0
        for rank in 0..<count where Self.key(-deviation(logWeight(rank)), rank) <= farthest {
            move(rank, to: kept)
            kept += 1
        }
        count = kept
        largest = logits.span.extracting(first: count).largest
    }

    // MARK: Sort keys

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
