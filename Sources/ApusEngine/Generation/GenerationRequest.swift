internal import ApusCore

/// What to generate: a prompt in token ids, how to choose tokens, and when to stop.
///
/// A plain value.
public struct GenerationRequest: Sendable {
    /// The prompt's token ids, at least one.
    public var prompt: [Int32]
    /// How each token is chosen.
    public var sampling: SamplingParameters
    /// The most tokens to generate; nil goes on to the end of the context.
    public var maximumTokenCount: Int?
    /// The model's end-of-generation tokens.
    public var endTokens: Set<Int32>
    /// Generates past end tokens, as if there were none: for measurements.
    public var ignoresEndOfGeneration: Bool
    /// Asks for each token's log probability and that of this many alternatives; nil asks for none.
    public var alternativeCount: Int?
    /// What the answer must look like; nil for anything.
    public var constraint: (any TokenConstraint)?
    /// Requests of a higher priority come first, whenever they were submitted.
    public var priority: Int
    /// How long the request may take from submission on, before it ends with what it has; nil for as long as it takes.
    public var timeLimit: Duration?

    /// Creates a request.
    /// - Parameters:
    ///   - prompt: the prompt's token ids.
    ///   - sampling: how each token is chosen.
    ///   - maximumTokenCount: the most tokens to generate; nil goes on to the end of the context.
    ///   - endTokens: the model's end-of-generation tokens.
    ///   - ignoresEndOfGeneration: generates past end tokens.
    ///   - alternativeCount: asks for log probabilities, with this many alternatives (0 to 20).
    ///   - constraint: what the answer must look like, at its beginning.
    ///   - priority: requests of a higher one come first.
    ///   - timeLimit: how long the request may take.
    public init(
        prompt: [Int32],
        sampling: SamplingParameters = SamplingParameters(),
        maximumTokenCount: Int? = nil,
        endTokens: Set<Int32> = [],
        ignoresEndOfGeneration: Bool = false,
        alternativeCount: Int? = nil,
        constraint: (any TokenConstraint)? = nil,
        priority: Int = 0,
        timeLimit: Duration? = nil
    ) {
        self.prompt = prompt
        self.sampling = sampling
        self.maximumTokenCount = maximumTokenCount
        self.endTokens = endTokens
        self.ignoresEndOfGeneration = ignoresEndOfGeneration
        self.alternativeCount = alternativeCount
        self.constraint = constraint
        self.priority = priority
        self.timeLimit = timeLimit
    }

    /// Checks every field against its range and the model's sizes.
    /// - Throws: `ApusError`: `invalidArgument` naming field, range and value, or `contextFull` with the counts when
    ///   the prompt leaves no room for a token.
    package func validate(vocabularySize: Int, maximumTokenCount limit: Int) throws {
        guard !prompt.isEmpty else {
            throw ApusError(.invalidArgument, "prompt: expected at least 1 token, found 0")
        }
        guard prompt.count < limit else {
            throw ApusError(
                .contextFull,
                "the prompt has \(prompt.count) tokens and the context \(limit), with at least 1 for the answer: "
                    + "shorten the prompt or enlarge the context"
            )
        }
        for token in prompt where token < 0 || Int(token) >= vocabularySize {
            throw ApusError(
                .invalidArgument,
                "prompt: expected token ids of 0 to \(vocabularySize - 1), found \(token)"
            )
        }
        if let maximumTokenCount, maximumTokenCount < 1 {
            throw ApusError(.invalidArgument, "maximumTokenCount: expected at least 1, found \(maximumTokenCount)")
        }
        if let alternativeCount, !(0...Self.maximumAlternativeCount).contains(alternativeCount) {
            throw ApusError(
                .invalidArgument,
                "alternativeCount: expected 0 to \(Self.maximumAlternativeCount), found \(alternativeCount)"
            )
        }
        try sampling.validate(vocabularySize: vocabularySize)
    }

    /// The most alternatives a request may ask log probabilities for.
    public static let maximumAlternativeCount = 20
}
