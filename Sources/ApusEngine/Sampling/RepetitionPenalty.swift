/// Makes recent tokens less likely: positive logits are divided, negative ones multiplied by the penalty, once per
/// token however often it occurs.
///
/// Keskar et al., "CTRL: A Conditional Transformer Language Model for Controllable Generation", section 4.1, with the
/// sign rule that the field added.
package struct RepetitionPenalty: LogitsProcessor {
    private let penalty: Float
    /// The last tokens as a ring; nil when all tokens count.
    private var ring: [Int32]?
    private let window: Int
    private var oldest = 0
    /// How often each token occurs in the window.
    private var counts: [Int32: Int32] = [:]

    /// Creates the processor for a sequence that starts with `prompt` and will have at most `tokenLimit` tokens.
    package init(penalty: Float, window: Int?, prompt: [Int32], tokenLimit: Int) {
        self.penalty = penalty
        let length = min(window ?? tokenLimit, tokenLimit)
        self.window = length
        // One more than the window: a token enters before the oldest leaves.
        counts.reserveCapacity(length + 1)
        if length < tokenLimit {
            ring = []
            ring?.reserveCapacity(length)
        }
        for token in prompt.suffix(length) { accept(token) }
    }

    package var changesGreedyPick: Bool { true }

    package func process(_ logits: inout MutableSpan<Float>) {
        // Each token is touched once, so the dictionary's order does not matter.
        for token in counts.keys {
            let logit = logits[Int(token)]
            logits[Int(token)] = logit < 0 ? logit * penalty : logit / penalty
        }
    }

    package mutating func accept(_ token: Int32) {
        guard window > 0 else { return }
        counts[token, default: 0] += 1
        guard let length = ring?.count else { return }
        if length < window {
            ring?.append(token)
            return
        }
        if let leaving = ring?[oldest] { forget(leaving) }
        ring?[oldest] = token
        oldest = oldest + 1 == window ? 0 : oldest + 1
    }

    private mutating func forget(_ token: Int32) {
        guard let count = counts[token] else { return }
        counts[token] = count > 1 ? count - 1 : nil
    }
}
