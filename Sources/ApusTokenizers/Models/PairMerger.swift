/// Says which two neighbours may merge: by a table of pairs, or by what their joined text is worth.
protocol PairRanking {
    /// The merge of two neighbours in `text`; nil if they stay apart.
    func merge(_ left: Symbol, _ right: Symbol, in text: Span<UInt8>) -> Merge?
}

/// A run of bytes that is, so far, one token.
struct Symbol {
    /// The token's id; negative where the run is not in the vocabulary.
    var id: Int32
    var start: Int
    /// Bytes; 0 once merged into the symbol before.
    var byteCount: Int
    var previous: Int
    var next: Int
}

/// Greedy pair merging ("Neural Machine Translation of Rare Words with Subword Units", algorithm 1) in O(n log n): the
/// symbols form a linked list, the possible merges a heap ordered by rank, then by place.
///
/// A workspace: filled with `append`, run, read, and used again.
struct PairMerger {
    private(set) var symbols: [Symbol] = []
    /// Candidates taken from the heap since the start: the work done, whatever the machine.
    private(set) var stepCount = 0
    private var heap: [Candidate] = []

    private struct Candidate {
        let rank: UInt32
        let id: Int32
        let left: Int
        // Of both symbols together; if it changed since, the candidate is stale.
        let byteCount: Int

        // The order of merging: by rank, then from left to right.
        @inline(__always)
        func precedes(_ other: Candidate) -> Bool {
            rank < other.rank || rank == other.rank && left < other.left
        }
    }

    /// Counts a step of a model that looks tokens up instead of merging.
    mutating func countStep() { stepCount += 1 }

    mutating func removeAll() {
        symbols.removeAll(keepingCapacity: true)
    }

    /// Adds a symbol after the last one.
    mutating func append(id: Int32, start: Int, byteCount: Int) {
        let index = symbols.count
        if index > 0 { symbols[index - 1].next = index }
        symbols.append(Symbol(id: id, start: start, byteCount: byteCount, previous: index - 1, next: -1))
    }

    /// Merges until no pair can; merged symbols have a byte count of 0 afterwards.
    mutating func run(_ ranking: some PairRanking, on text: Span<UInt8>) {
        heap.removeAll(keepingCapacity: true)
        for index in symbols.indices.dropFirst() { consider(index - 1, index, ranking, text) }
        while let candidate = popFirst() {
            stepCount += 1
            let left = candidate.left
            let right = symbols[left].next
            guard symbols[left].byteCount > 0, right >= 0,
                symbols[left].byteCount + symbols[right].byteCount == candidate.byteCount
            else { continue }
            symbols[left].byteCount = candidate.byteCount
            symbols[left].id = candidate.id
            let next = symbols[right].next
            symbols[left].next = next
            symbols[right].byteCount = 0
            if next >= 0 { symbols[next].previous = left }
            consider(symbols[left].previous, left, ranking, text)
            consider(left, next, ranking, text)
        }
    }

    @inline(__always)
    private mutating func consider(_ left: Int, _ right: Int, _ ranking: some PairRanking, _ text: Span<UInt8>) {
        guard left >= 0, right >= 0, let merge = ranking.merge(symbols[left], symbols[right], in: text) else { return }
        push(
            Candidate(
                rank: merge.rank,
                id: merge.id,
                left: left,
                byteCount: symbols[left].byteCount + symbols[right].byteCount
            )
        )
    }

    // MARK: Heap

    private mutating func push(_ candidate: Candidate) {
        heap.append(candidate)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard candidate.precedes(heap[parent]) else { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = candidate
    }

    private mutating func popFirst() -> Candidate? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return first }
        var parent = 0
        while true {
            var child = parent * 2 + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1].precedes(heap[child]) { child += 1 }
            guard heap[child].precedes(last) else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = last
        return first
    }
}
