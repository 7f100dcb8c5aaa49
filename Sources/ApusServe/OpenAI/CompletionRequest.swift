import ApusEngine
import ApusFormats

/// The fields of a text completion.
enum CompletionFields {
    static let prompt = Field(
        "prompt",
        .oneOf([
            .string, .array(.string, counts: 1...maximumPromptCount), .array(token, counts: 1 ... .max),
            .array(.array(token, counts: 1 ... .max), counts: 1...maximumPromptCount),
        ]),
        "What is continued: a text, texts, a list of tokens or lists of tokens.",
        isRequired: true
    )
    static let suffix = Field("suffix", .string, "What follows the gap to fill, for models trained to fill gaps.")
    static let echo = Field("echo", .boolean, "Begins the answer with the prompt.")
    static let bestOf = Field(
        "best_of",
        .integer(1...128),
        "Generates so many answers and gives the n with the highest mean log probability of a token, the best first."
    )
    static let logprobs = Field(
        "logprobs",
        .integer(0...GenerationRequest.maximumAlternativeCount),
        "Adds each token's log probability and so many alternatives."
    )
    static let maxTokens = Field("max_tokens", .integer(1 ... .max), "The most tokens of an answer; 16 unless given.")

    static let table = FieldTable(
        "CompletionRequest",
        [prompt] + SamplingFields.all + [maxTokens, suffix, echo, bestOf, logprobs],
        refused: ["max_completion_tokens": "its name here is max_tokens"]
    )

    static let token = Schema.integer(0...Int(Int32.max))
    static let maximumPromptCount = 128
    static let defaultTokenCount = 16
}

/// A text completion as asked for: what to generate, and how to send it.
package struct CompletionRequest: Sendable {
    /// The fields of the body.
    package static let table = CompletionFields.table

    package let model: String?
    package let inference: InferenceRequest
    /// How many answers to a prompt are given: those that are generated, or the best of them.
    package let givenCount: Int
    /// Whether log probabilities are given.
    package let hasLogprobs: Bool
    package let isStreamed: Bool
    package let includesUsage: Bool

    /// Decodes a body's checked fields.
    /// - Throws: `ServiceError` naming the field.
    package init(_ fields: FieldValues) throws {
        model = fields.string(SamplingFields.model)
        isStreamed = fields.bool(SamplingFields.stream) ?? false
        includesUsage = try SamplingFields.includesUsage(fields)
        var request = try SamplingFields.request(prompts: Self.prompts(fields), fields)
        request.maximumTokenCount = fields.integer(CompletionFields.maxTokens) ?? CompletionFields.defaultTokenCount
        request.alternativeCount = fields.integer(CompletionFields.logprobs)
        request.echoesPrompt = fields.bool(CompletionFields.echo) ?? false
        hasLogprobs = request.alternativeCount != nil
        if request.echoesPrompt { request.echoAlternativeCount = request.alternativeCount }
        givenCount = request.choiceCount
        if let best = fields.integer(CompletionFields.bestOf) {
            try Self.choose(best, isStreamed: isStreamed, &request)
        }
        if request.echoAlternativeCount != nil, fields[CompletionFields.suffix] != nil {
            throw ServiceError(
                .unsupported,
                "echo: not together with suffix and logprobs: the prompt is not the text's beginning",
                field: "echo"
            )
        }
        inference = request
    }

    /// Makes a request one for more answers than are given.
    private static func choose(_ count: Int, isStreamed: Bool, _ request: inout InferenceRequest) throws {
        guard count >= request.choiceCount, count == request.choiceCount || !isStreamed else {
            let found = isStreamed ? "\(count) with stream" : "\(count)"
            let expected =
                isStreamed ? "n, which is \(request.choiceCount)," : "at least n, which is \(request.choiceCount),"
            throw ServiceError(.invalidRequest, "best_of: expected \(expected) found \(found)", field: "best_of")
        }
        guard count > request.choiceCount else { return }
        request.choiceCount = count
        request.alternativeCount = request.alternativeCount ?? 0
    }

    private static func prompts(_ fields: FieldValues) throws -> [InferenceRequest.Prompt] {
        guard let value = fields[CompletionFields.prompt] else { return [] }
        let prompts = try value.prompts()
        guard let suffix = fields.string(CompletionFields.suffix) else { return prompts }
        return try prompts.map { prompt in
            guard case .text(let prefix) = prompt else {
                throw ServiceError(.unsupported, "suffix: only with a text as prompt", field: "suffix")
            }
            return .infill(prefix: prefix, suffix: suffix)
        }
    }
}

extension JSONValue {
    /// The prompts of a text, texts, tokens or lists of tokens, whose form has been checked.
    func prompts() throws -> [InferenceRequest.Prompt] {
        if let text { return [.text(text)] }
        let elements = try elements()
        guard let first = elements.first, first.wholeNumber == nil else { return [.tokens(Self.tokens(elements))] }
        return try elements.map { element in
            if let text = element.text { return .text(text) }
            return .tokens(Self.tokens(try element.elements()))
        }
    }

    private static func tokens(_ elements: JSONArray) -> [Int32] {
        elements.map { Int32(clamping: $0.wholeNumber ?? 0) }
    }
}
