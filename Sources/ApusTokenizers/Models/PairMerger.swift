/// Says which two neighbours may merge: by a table of pairs, or by what their joined text is worth.
protocol PairRanking {
    /// The merge of two neighbours in `piece`; nil if they stay apart.
    func merge(_ left: Symbol, _ right: Symbol, in piece: Span<UInt8>) -> Merge?
}

/// A run of bytes that is, so far, one token.
///
/// Small, as a hostile text is one piece with a symbol for each byte: 32 bits hold more than memory would.
struct Symbol {
    /// The token's id; negative where the run is not in the vocabulary.
    var id: Int32
    /// Where it starts in the piece.
    fileprivate(set) var offset: UInt32
    /// Bytes; 0 once merged into the symbol before.
    fileprivate(set) var length: UInt32
    fileprivate var previous: Int32
    fileprivate var next: Int32

    var start: Int { Int(offset) }
    var byteCount: Int { Int(length) }
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
        let left: Int32
        // Of both symbols together; if it changed since, the candidate is stale.
        let length: UInt32

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
        let index = Int32(truncatingIfNeeded: symbols.count)
        if index > 0 { symbols[Int(index) - 1].next = index }
        symbols.append(
            Symbol(
                id: id,
                offset: UInt32(truncatingIfNeeded: start),
                length: UInt32(truncatingIfNeeded: byteCount),
                previous: index - 1,
                next: -1
            )
        )
    }

    /// Merges until no pair can; merged symbols have a byte count of 0 afterwards.
    /// - Parameter piece: the bytes that the symbols cover.
    mutating func run(_ ranking: some PairRanking, on piece: Span<UInt8>) {
        heap.removeAll(keepingCapacity: true)
        for index in symbols.indices.dropFirst() {
            let right = Int32(truncatingIfNeeded: index)
            consider(right - 1, right, ranking, piece)
        }
        while let candidate = popFirst() {
            stepCount += 1
            let left = Int(candidate.left)
            let right = Int(symbols[left].next)
            guard symbols[left].length > 0, right >= 0,
                symbols[left].length + symbols[right].length == candidate.length
            else { continue }
            symbols[left].length = candidate.length
            symbols[left].id = candidate.id
            let next = symbols[right].next
            symbols[left].next = next
            symbols[right].length = 0
            if next >= 0 { symbols[Int(next)].previous = candidate.left }
            consider(symbols[left].previous, candidate.left, ranking, piece)
            consider(candidate.left, next, ranking, piece)
        }
    }

    @inline(__always)
    private mutating func consider(_ left: Int32, _ right: Int32, _ ranking: some PairRanking, _ piece: Span<UInt8>) {
        guard left >= 0, right >= 0 else { return }
        let (first, second) = (symbols[Int(left)], symbols[Int(right)])
        guard let merge = ranking.merge(first, second, in: piece) else { return }
        push(Candidate(rank: merge.rank, id: merge.id, left: left, length: first.length + second.length))
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
