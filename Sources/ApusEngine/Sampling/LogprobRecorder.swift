internal import ApusTensor

/// Computes the log probabilities of one request's tokens, in memory that it reserves once.
package struct LogprobRecorder: Sendable {
    private let alternativeCount: Int
    private var alternatives: [TokenLogprobs.Entry] = []
    private var chosen: Float = 0
    /// The row's largest logit, and the logarithm of the softmax's denominator relative to it.
    private var largest: Float = 0
    private var logarithm = 0.0
    /// The raw logits, kept while the processors change the row.
    private var raw: [Float]
    /// Exponentials of a part of the row; a multiple of the lanes.
    private var piece: [Float]
    private let kernels = KernelTable.current

    /// Creates a recorder for a vocabulary.
    package init(alternativeCount: Int, vocabularySize: Int) {
        self.alternativeCount = alternativeCount
        alternatives.reserveCapacity(alternativeCount)
        raw = Array(repeating: 0, count: vocabularySize)
        piece = Array(repeating: 0, count: 1024)
    }

    /// Reads the row from which a token will be chosen, before any processor.
    package mutating func read(_ logits: Span<Float>, candidates: inout Candidates) {
        for index in 0..<logits.count { raw[index] = logits[index] }
        alternatives.removeAll(keepingCapacity: true)
        guard let best = TokenSampler.largest(of: logits)?.logit else { return }
        largest = best
        logarithm = naturalLogarithm(Double(sumOfExponentials(logits, best)))
        guard alternativeCount > 0 else { return }
        candidates.selectLargest(alternativeCount, from: logits)
        for rank in 0..<candidates.count {
            let entry = TokenLogprobs.Entry(token: candidates.token(rank), logprob: logprob(candidates.logit(rank)))
            alternatives.append(entry)
        }
    }

    /// Takes the token that was chosen from the row.
    package mutating func record(_ token: Int32) { chosen = logprob(raw[Int(token)]) }

    private func logprob(_ logit: Float) -> Float { Float(Double(logit - largest) - logarithm) }

    /// What was recorded last, as a value to hand out; this allocates.
    package var recorded: TokenLogprobs {
        // A true copy: a shared buffer would be allocated anew by the next token.
        TokenLogprobs(logprob: chosen, alternatives: alternatives.map { $0 })
    }

    /// The softmax's denominator over 16 lanes and a tree (docs/numbers.md, section 1).
    private mutating func sumOfExponentials(_ row: Span<Float>, _ largest: Float) -> Float {
        var sum = LaneSum()
        for start in stride(from: 0, to: row.count, by: piece.count) {
            let length = min(piece.count, row.count - start)
            kernels.exponentials(of: row.extracting(start..<start + length), minus: largest, into: &piece)
            sum.add(piece.span.extracting(first: length))
        }
        return sum.total
    }
}
