/// Makes tokens less likely that were generated before: by a fixed amount once they occurred (presence), and by an
/// amount for each occurrence (frequency).
///
/// The prompt does not count.
///
/// OpenAI API reference, "Frequency and presence penalties": `logit - count * frequency - (count > 0) * presence`.
package struct FrequencyPenalty: LogitsProcessor {
    private let frequency: Float
    private let presence: Float
    private var counts: [Int32: Int32] = [:]

    /// Creates the processor for a generation of at most `generatedLimit` tokens.
    package init(frequency: Float, presence: Float, generatedLimit: Int) {
        self.frequency = frequency
        self.presence = presence
        counts.reserveCapacity(generatedLimit)
    }

    package var changesGreedyPick: Bool { true }

    package func process(_ logits: inout MutableSpan<Float>) {
        for (token, count) in counts {
            let logit = logits[Int(token)] - Float(count) * frequency
            logits[Int(token)] = logit - presence
        }
    }

    package mutating func accept(_ token: Int32) {
        counts[token, default: 0] += 1
    }
}
