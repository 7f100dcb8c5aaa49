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
        let least = fraction * candidates.weight(0)
        for rank in 1..<max(1, candidates.count) where candidates.weight(rank) < least {
            candidates.keepFirst(rank)
            return
        }
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
        var entropy = 0.0
        for rank in 0..<candidates.count {
            let surprise = Self.surprise(candidates.weight(rank), of: total)
            if surprise.isFinite { entropy += Double(candidates.weight(rank) / total) * surprise }
        }
        candidates.keepNearest(reaching: probability * total) { weight in
            Float(abs(Self.surprise(weight, of: total) - entropy))
        }
    }

    /// The negative logarithm of a probability.
    private static func surprise(_ weight: Float, of total: Float) -> Double {
        let probability = weight / total
        return probability > 0 ? -naturalLogarithm(Double(probability)) : .infinity
    }
}
