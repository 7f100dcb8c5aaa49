/// How likely the model itself found a token: natural logarithms of probabilities over the whole vocabulary, from the
/// raw logits, before penalties, temperature and filters.
public struct TokenLogprobs: Sendable, Equatable {
    /// A token and its log probability.
    public struct Entry: Sendable, Equatable {
        /// The token's id.
        public let token: Int32
        /// The natural logarithm of its probability.
        public let logprob: Float

        package init(token: Int32, logprob: Float) {
            self.token = token
            self.logprob = logprob
        }
    }

    /// The log probability of the token that was chosen.
    public let logprob: Float
    /// The likeliest tokens, in descending order, then ascending id; the chosen one may be among them.
    public let alternatives: [Entry]

    package init(logprob: Float, alternatives: [Entry]) {
        self.logprob = logprob
        self.alternatives = alternatives
    }
}
