public import ApusEngine
public import ApusGrammar

/// How a text is generated.
///
/// A plain value.
public struct GenerationOptions: Sendable {
    /// How each token is chosen.
    public var sampling: SamplingParameters
    /// The most tokens to generate; nil goes on to the end of the context.
    public var maximumTokenCount: Int?
    /// Texts that end the generation; they are not part of it.
    public var stop: [String]
    /// Asks for log probabilities, with this many alternatives; nil asks for none.
    public var alternativeCount: Int?
    /// What the text must look like; nil for anything.
    public var grammar: Grammar?

    /// Creates options.
    public init(
        sampling: SamplingParameters = SamplingParameters(),
        maximumTokenCount: Int? = nil,
        stop: [String] = [],
        alternativeCount: Int? = nil,
        grammar: Grammar? = nil
    ) {
        self.sampling = sampling
        self.maximumTokenCount = maximumTokenCount
        self.stop = stop
        self.alternativeCount = alternativeCount
        self.grammar = grammar
    }

    /// Always the likeliest token.
    public static let greedy = GenerationOptions(sampling: .greedy)
}
