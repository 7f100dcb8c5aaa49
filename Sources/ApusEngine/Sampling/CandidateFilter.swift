/// Drops unlikely tokens before a draw.
///
/// The candidates have weights; at least one stays.
package protocol CandidateFilter: Sendable {
    /// Narrows the candidates.
    func apply(to candidates: inout Candidates)
}

/// Keeps the fewest, most likely tokens that reach a probability together.
///
/// Holtzman et al., "The Curious Case of Neural Text Degeneration", section 3.1.
package struct TopP: CandidateFilter {
    private let probability: Float

    package init(_ probability: Float) { self.probability = probability }

    package func apply(to candidates: inout Candidates) {
        let wanted = probability * candidates.totalWeight
        candidates.sort(reaching: wanted)
        var reached: Float = 0
        for rank in 0..<candidates.count {
            reached += candidates.weight(rank)
            if reached >= wanted {
                candidates.keepFirst(rank + 1)
                return
            }
        }
    }
}

/// Keeps tokens whose probability is at least a fraction of the likeliest token's.
///
/// Nguyen et al., "Turning Up the Heat: Min-p Sampling for Creative and Coherent LLM Outputs", section 3.
package struct MinP: CandidateFilter {
    private let fraction: Float

    package init(_ fraction: Float) { self.fraction = fraction }

    package func apply(to candidates: inout Candidates) {
        candidates.keep(atLeast: fraction * candidates.largestWeight)
    }
}

/// Keeps the tokens whose surprise is nearest to the distribution's entropy and that reach a probability together.
///
/// Meister et al., "Locally Typical Sampling", section 4.
package struct TypicalP: CandidateFilter {
    private let probability: Float

    package init(_ probability: Float) { self.probability = probability }

    package func apply(to candidates: inout Candidates) {
        let total = candidates.totalWeight
        let logarithm = naturalLogarithm(Double(total))
        // A probability is exp(logWeight) / total.
        var entropy = 0.0
        for rank in 0..<candidates.count where candidates.weight(rank) > 0 {
            let surprise = logarithm - Double(candidates.logWeight(rank))
            entropy += Double(candidates.weight(rank) / total) * surprise
        }
        candidates.keepNearest(reaching: probability * total) { logWeight in
            Float(abs(logarithm - Double(logWeight) - entropy))
        }
    }
}
