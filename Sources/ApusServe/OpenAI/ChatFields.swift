import ApusEngine

/// The fields of a chat completion.
enum ChatFields {
    static let messages = Field(
        "messages",
        .array(.object(MessageFields.all), counts: 1...100_000),
        "The conversation; content is text or a list of text parts.",
        isRequired: true
    )
    static let logprobs = Field("logprobs", .boolean, "Adds each token's log probability.")
    static let topLogprobs = Field(
        "top_logprobs",
        .integer(0...GenerationRequest.maximumAlternativeCount),
        "With logprobs: how many alternatives each token is given with."
    )
    static let maxTokens = Field("max_tokens", .integer(1 ... .max), "The most tokens of the answer.")
    static let maxCompletionTokens = Field(
        "max_completion_tokens",
        .integer(1 ... .max),
        "The most tokens of the answer; the newer name of max_tokens."
    )
    static let tools = Field(
        "tools",
        .array(
            .object([
                Schema.Property("type", .choice(["function"]), isRequired: true),
                Schema.Property("function", .object(functionMembers), isRequired: true),
            ]),
            counts: 0...1024
        ),
        "Functions that the model may call, as its template shows them to it. With strict, their arguments are enforced."
    )
    static let toolChoice = Field(
        "tool_choice",
        .oneOf([
            .choice(["none", "auto", "required"]),
            .object([
                Schema.Property("type", .choice(["function"]), isRequired: true),
                Schema.Property(
                    "function",
                    .object([Schema.Property("name", .string, isRequired: true)]),
                    isRequired: true
                ),
            ]),
        ]),
        "Whether the model may call (auto, unless given), must not (none), or must: any function (required), or one."
    )
    static let parallelToolCalls = Field(
        "parallel_tool_calls",
        .boolean,
        "Whether an answer may have several tool calls; false ends it after the first."
    )
    static let modalities = Field.ignored("modalities", .array(.choice(["text"]), counts: 1...1), "Only text.")
    static let templateVariables = Field(
        "chat_template_kwargs",
        .anyObject,
        "Further variables of the chat template, such as enable_thinking."
    )

    private static let functionMembers = [
        Schema.Property("name", .string, isRequired: true),
        Schema.Property("description", .string),
        Schema.Property("parameters", .anyObject),
        Schema.Property("strict", .boolean),
    ]

    static let table = FieldTable(
        "ChatCompletionRequest",
        [messages] + SamplingFields.all + [
            maxTokens, maxCompletionTokens, logprobs, topLogprobs, tools, toolChoice, parallelToolCalls,
            modalities, templateVariables,
        ],
        refused: [
            "functions": "use tools", "function_call": "use tool_choice",
            "audio": "there is no sound", "prediction": "there is no predicted output",
            "web_search_options": "nothing is searched", "reasoning_effort": "use chat_template_kwargs",
            "verbosity": "say it in a message",
        ]
    )
}

/// The fields of a message.
enum MessageFields {
    static let all = [
        Schema.Property(
            "role",
            .choice(["system", "developer", "user", "assistant", "tool"]),
            isRequired: true
        ),
        Schema.Property("content", .oneOf([.string, .array(part, counts: 0...10_000)])),
        Schema.Property("name", .string),
        Schema.Property("refusal", .string),
        Schema.Property("reasoning_content", .string),
        Schema.Property("tool_call_id", .string),
        Schema.Property("tool_calls", .array(call, counts: 0...1024)),
    ]

    private static let part = Schema.object([
        Schema.Property("type", .choice(["text"]), isRequired: true),
        Schema.Property("text", .string, isRequired: true),
    ])

    private static let call = Schema.object([
        Schema.Property("id", .string, isRequired: true),
        Schema.Property("type", .choice(["function"]), isRequired: true),
        Schema.Property(
            "function",
            .object([
                Schema.Property("name", .string, isRequired: true),
                Schema.Property("arguments", .string, isRequired: true),
            ]),
            isRequired: true
        ),
    ])
}
