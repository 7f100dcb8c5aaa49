internal import ApusCore

/// How the next token is chosen.
///
/// A plain value; what it needs to remember is created per request.
///
/// In order: logit bias, repetition penalty, presence and frequency penalty; then, unless `temperature` is 0, top-k,
/// typical-p, top-p, min-p, temperature, and a draw by the seed. This is llama.cpp's default order and, but for a
/// random seed, these are its default values: temperature 0.8, top-k 40, top-p 0.95, min-p 0.05, the rest off.
public struct SamplingParameters: Sendable, Hashable {
    /// Divides the logits before the draw, 0 to 100; 0 is greedy: always the largest logit, the lowest id among equals.
    ///
    /// 0.8 unless set.
    public var temperature: Float
    /// Keeps this many of the largest logits; 0 keeps all.
    ///
    /// 40 unless set.
    public var topK: Int
    /// Keeps the fewest, most likely tokens that reach this probability together, above 0 to 1; 1 keeps all.
    ///
    /// 0.95 unless set. (Holtzman et al., "The Curious Case of Neural Text Degeneration")
    public var topP: Float
    /// Keeps tokens at least this likely relative to the likeliest, 0 to 1; 0 keeps all.
    ///
    /// 0.05 unless set. (Nguyen et al., "Turning Up the Heat: Min-p Sampling")
    public var minP: Float
    /// Keeps the tokens whose surprise is nearest to the expected one and that reach this probability together, above 0
    /// to 1; 1 keeps all, the default.
    ///
    /// (Meister et al., "Locally Typical Sampling")
    public var typicalP: Float
    /// Divides positive and multiplies negative logits of recent tokens, prompt included, above 0 to 100; 1 is off, the
    /// default.
    ///
    /// (Keskar et al., "CTRL", section 4.1)
    public var repetitionPenalty: Float
    /// How many tokens back `repetitionPenalty` looks, prompt included; nil looks at all.
    ///
    /// 64 unless set.
    public var repetitionWindow: Int?
    /// Is subtracted from a token's logit for each time it was generated, -100 to 100; 0 is off, the default.
    ///
    /// (OpenAI API, "frequency_penalty")
    public var frequencyPenalty: Float
    /// Is subtracted from a token's logit if it was generated at all, -100 to 100; 0 is off, the default.
    ///
    /// (OpenAI API, "presence_penalty")
    public var presencePenalty: Float
    /// Is added to the logits of these tokens; negative infinity forbids a token.
    public var logitBias: [Int32: Float]
    /// Fixes the draw: the n-th token's random number is a function of seed and n alone.
    ///
    /// Nil takes a random seed.
    public var seed: UInt64?

    /// Creates parameters; what is not given has the default stated at each property.
    public init(
        temperature: Float = 0.8,
        topK: Int = 40,
        topP: Float = 0.95,
        minP: Float = 0.05,
        typicalP: Float = 1,
        repetitionPenalty: Float = 1,
        repetitionWindow: Int? = 64,
        frequencyPenalty: Float = 0,
        presencePenalty: Float = 0,
        logitBias: [Int32: Float] = [:],
        seed: UInt64? = nil
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.typicalP = typicalP
        self.repetitionPenalty = repetitionPenalty
        self.repetitionWindow = repetitionWindow
        self.frequencyPenalty = frequencyPenalty
        self.presencePenalty = presencePenalty
        self.logitBias = logitBias
        self.seed = seed
    }

    /// Always the likeliest token, without penalties.
    public static let greedy = SamplingParameters(temperature: 0)

    /// Checks every field against its range.
    /// - Throws: `ApusError` with code `invalidArgument`, naming the field, its range and its value.
    public func validate() throws {
        try Self.check("temperature", temperature, 0...100)
        try Self.check("topP", topP, Float.leastNonzeroMagnitude...1, "above 0 to 1")
        try Self.check("minP", minP, 0...1)
        try Self.check("typicalP", typicalP, Float.leastNonzeroMagnitude...1, "above 0 to 1")
        try Self.check("repetitionPenalty", repetitionPenalty, Float.leastNonzeroMagnitude...100, "above 0 to 100")
        try Self.check("frequencyPenalty", frequencyPenalty, -100...100)
        try Self.check("presencePenalty", presencePenalty, -100...100)
        try Self.check("topK", topK)
        if let repetitionWindow { try Self.check("repetitionWindow", repetitionWindow) }
        for (token, bias) in logitBias.sorted(by: { $0.key < $1.key }) {
            if token < 0 {
                throw ApusError(.invalidArgument, "logitBias: expected token ids of at least 0, found \(token)")
            }
            if !bias.isFinite && bias != -.infinity {
                throw ApusError(
                    .invalidArgument,
                    "logitBias of token \(token): expected a finite number or negative infinity, found \(bias)"
                )
            }
        }
    }

    /// Checks every field, and the biased tokens against the vocabulary.
    package func validate(vocabularySize: Int) throws {
        try validate()
        for token in logitBias.keys where Int(token) >= vocabularySize {
            throw ApusError(
                .invalidArgument,
                "logitBias: expected token ids of 0 to \(vocabularySize - 1), found \(token)"
            )
        }
    }

    private static func check(
        _ field: String,
        _ value: Float,
        _ range: ClosedRange<Float>,
        _ words: String? = nil
    ) throws {
        guard !range.contains(value) else { return }
        let expected = words ?? "\(range.lowerBound) to \(range.upperBound)"
        throw ApusError(.invalidArgument, "\(field): expected \(expected), found \(value)")
    }

    private static func check(_ field: String, _ value: Int) throws {
        guard value < 0 else { return }
        throw ApusError(.invalidArgument, "\(field): expected at least 0, found \(value)")
    }
}
