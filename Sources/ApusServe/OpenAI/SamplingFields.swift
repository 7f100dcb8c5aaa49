import ApusChat
import ApusEngine
import ApusFormats

/// The fields that chat and text completions share.
enum SamplingFields {
    static let model = Field(
        "model",
        .string,
        "The model's name, as /v1/models lists it; may be left out where only one is served."
    )
    static let stream = Field("stream", .boolean, "Sends the answer as server-sent events while it is generated.")
    static let streamOptions = Field(
        "stream_options",
        .object([Schema.Property("include_usage", .boolean)]),
        "include_usage adds a last chunk with the token counts."
    )
    static let choiceCount = Field("n", .integer(1...128), "Answers; the i-th is drawn with seed + i. 1 unless given.")
    static let stop = Field(
        "stop",
        .oneOf([.string, .array(.string, counts: 0...StopStringMatcher.maximumCount)]),
        "Texts that end the answer; they are not part of it."
    )
    static let seed = Field(
        "seed",
        .integer(.min ... .max),
        "The same seed, prompt and fields give the same tokens, whatever else runs. Random unless given."
    )
    static let temperature = Field(
        "temperature",
        .number(0...2),
        "0 always takes the likeliest token. \(defaults.temperature) unless given."
    )
    static let topP = Field(
        "top_p",
        .number(0...1),
        "Keeps the fewest tokens that reach this probability together. \(defaults.topP) unless given."
    )
    static let topK = Field(
        "top_k",
        .integer(-1...Int(Int32.max)),
        "Keeps this many of the likeliest tokens; 0 and -1 keep all. \(defaults.topK) unless given."
    )
    static let minP = Field(
        "min_p",
        .number(0...1),
        "Keeps tokens at least this likely relative to the likeliest. \(defaults.minP) unless given."
    )
    static let typicalP = Field(
        "typical_p",
        .number(0...1),
        "Keeps the tokens of most typical surprise up to this probability; 1, the default, is off."
    )
    static let repetitionPenalty = Field(
        "repetition_penalty",
        .number(0.01...100),
        "Divides the logits of the last 64 tokens; 1, the default, is off."
    )
    static let frequencyPenalty = Field(
        "frequency_penalty",
        .number(-2...2),
        "Subtracted from a token's logit for each time it was generated."
    )
    static let presencePenalty = Field(
        "presence_penalty",
        .number(-2...2),
        "Subtracted from a token's logit if it was generated at all."
    )
    static let logitBias = Field(
        "logit_bias",
        .dictionary(.number(-100...100)),
        "Token ids and what is added to their logits; -100 forbids a token."
    )

    static let all =
        [
            model, stream, streamOptions, choiceCount, stop, seed, temperature, topP, topK, minP, typicalP,
            repetitionPenalty, frequencyPenalty, presencePenalty, logitBias, user, metadata, store, serviceTier,
            promptCacheKey, promptCacheRetention, safetyIdentifier,
        ] + ShapeFields.all

    private static let user = Field.ignored("user", .string, "Ignored: no users are told apart.")
    private static let metadata = Field.ignored("metadata", .anyObject, "Ignored: nothing is stored.")
    private static let store = Field.ignored("store", .constant(false), "Nothing is stored.")
    private static let serviceTier = Field.ignored("service_tier", .string, "Ignored: there is one tier.")
    private static let promptCacheKey = Field.ignored(
        "prompt_cache_key",
        .string,
        "Ignored: prompts that begin alike are always computed once."
    )
    private static let promptCacheRetention = Field.ignored("prompt_cache_retention", .string, "Ignored.")
    private static let safetyIdentifier = Field.ignored("safety_identifier", .string, "Ignored.")

    private static let defaults = SamplingParameters()

    /// A request with what these fields say of it.
    static func request(prompts: [InferenceRequest.Prompt], _ fields: FieldValues) throws -> InferenceRequest {
        var request = InferenceRequest(prompts: prompts)
        request.sampling = try parameters(fields)
        request.choiceCount = fields.integer(choiceCount) ?? 1
        request.stop = fields.strings(stop) ?? []
        request.shape.content = try ShapeFields.content(fields)
        request.shapeField = (ShapeFields.all + [ChatFields.tools]).first { fields[$0] != nil }?.name
        return request
    }

    /// The parameters that the fields ask for; what is not given has Apus' defaults, which `apus run` has too.
    private static func parameters(_ fields: FieldValues) throws -> SamplingParameters {
        var sampling = SamplingParameters()
        if let value = fields.float(temperature) { sampling.temperature = value }
        // Nothing is left of the least probability, so the likeliest token remains.
        if let value = fields.float(topP) { sampling.topP = max(value, .leastNormalMagnitude) }
        if let value = fields.float(typicalP) { sampling.typicalP = max(value, .leastNormalMagnitude) }
        if let value = fields.integer(topK) { sampling.topK = max(0, value) }
        if let value = fields.float(minP) { sampling.minP = value }
        if let value = fields.float(repetitionPenalty) { sampling.repetitionPenalty = value }
        if let value = fields.float(frequencyPenalty) { sampling.frequencyPenalty = value }
        if let value = fields.float(presencePenalty) { sampling.presencePenalty = value }
        sampling.logitBias = try bias(fields)
        sampling.seed = fields.integer(seed).map { UInt64(bitPattern: Int64($0)) }
        return sampling
    }

    private static func bias(_ fields: FieldValues) throws -> [Int32: Float] {
        var biases: [Int32: Float] = [:]
        guard let members = try fields[logitBias]?.members() else { return biases }
        for (key, value) in members {
            guard let token = Int32(try key.string()), token >= 0 else {
                throw ServiceError(
                    .invalidRequest,
                    "logit_bias: expected token ids as keys, found \(try key.string().quotedForMessage)",
                    field: "logit_bias"
                )
            }
            let bias = value.number ?? 0
            biases[token] = bias <= -100 ? -.infinity : Float(bias)
        }
        return biases
    }

    /// Whether the last chunk of a stream carries the token counts.
    static func includesUsage(_ fields: FieldValues) throws -> Bool {
        guard let options = fields[streamOptions] else { return false }
        guard fields.bool(stream) == true else {
            throw ServiceError(
                .invalidRequest,
                "stream_options: only with stream: true",
                field: "stream_options"
            )
        }
        return try options.memberIfPresent("include_usage")?.bool() ?? false
    }
}
