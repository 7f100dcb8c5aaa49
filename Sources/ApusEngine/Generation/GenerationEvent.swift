/// What a generation tells its consumer, in order: that it has started, tokens, then one summary.
public enum GenerationEvent: Sendable, Equatable {
    /// The first step that worked on the request is done; so many tokens of the prompt had been computed before.
    ///
    /// A request that ends while it waits never starts.
    case started(cachedTokenCount: Int)
    /// The next token, with log probabilities if the request asked for them.
    case token(Int32, logprobs: TokenLogprobs?)
    /// The end; nothing follows.
    case finished(GenerationSummary)
}

/// How a generation ended and where its time went.
public struct GenerationSummary: Sendable, Equatable {
    /// Why it ended.
    public let reason: FinishReason
    /// The end-of-generation token that ended it; it is neither delivered nor counted.
    public let endToken: Int32?
    /// Tokens of the prompt.
    public let promptTokenCount: Int
    /// Tokens of the prompt that an earlier request had computed.
    public let cachedTokenCount: Int
    /// Tokens generated.
    public let generatedTokenCount: Int
    /// The seed that reproduces the generation, chosen at random if the request named none.
    public let seed: UInt64
    /// Where the time went.
    public let timings: GenerationTimings

    package init(
        reason: FinishReason,
        endToken: Int32?,
        promptTokenCount: Int,
        cachedTokenCount: Int,
        generatedTokenCount: Int,
        seed: UInt64,
        timings: GenerationTimings
    ) {
        self.reason = reason
        self.endToken = endToken
        self.promptTokenCount = promptTokenCount
        self.cachedTokenCount = cachedTokenCount
        self.generatedTokenCount = generatedTokenCount
        self.seed = seed
        self.timings = timings
    }
}

/// Where a generation's time went, on a clock that never goes back.
public struct GenerationTimings: Sendable, Equatable {
    /// From submission to the first step that worked on the request.
    public let queue: Duration
    /// From there to the end of the step that gave the first token: the whole prompt and one token.
    public let prefill: Duration
    /// From there to the end of the step that gave the last token.
    public let decode: Duration
    /// Prompt tokens that were computed.
    public let prefillTokenCount: Int
    /// Tokens chosen after the first, an end token included.
    public let decodeTokenCount: Int

    package init(
        queue: Duration,
        prefill: Duration,
        decode: Duration,
        prefillTokenCount: Int,
        decodeTokenCount: Int
    ) {
        self.queue = queue
        self.prefill = prefill
        self.decode = decode
        self.prefillTokenCount = prefillTokenCount
        self.decodeTokenCount = decodeTokenCount
    }

    /// Prompt tokens per second; 0 if none were computed.
    public var prefillTokensPerSecond: Double { Self.rate(prefillTokenCount, prefill) }

    /// Generated tokens per second after the first; 0 if there was only one.
    public var decodeTokensPerSecond: Double { Self.rate(decodeTokenCount, decode) }

    private static func rate(_ count: Int, _ duration: Duration) -> Double {
        let seconds = duration / Duration.seconds(1)
        return seconds > 0 ? Double(count) / seconds : 0
    }
}
