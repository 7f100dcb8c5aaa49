/// The routes of the OpenAI dialect, and those beside it that every server has.
package enum OpenAIEndpoints {
    package static let all: [Endpoint] = [
        Endpoint(
            .post,
            "/v1/chat/completions",
            "Answers a conversation.",
            fields: ChatFields.table,
            answer: .json(ChatAnswer.schema, canStream: true),
            perform: chat
        ),
        Endpoint(
            .post,
            "/v1/completions",
            "Continues texts.",
            fields: CompletionFields.table,
            answer: .json(CompletionAnswer.schema, canStream: true),
            perform: complete
        ),
        Endpoint(
            .post,
            "/v1/embeddings",
            "Embeds texts: the mean of the last hidden states, scaled to length 1.",
            fields: Embeddings.table,
            answer: .json(Embeddings.schema),
            perform: Embeddings.perform
        ),
        Endpoint(.get, "/v1/models", "Lists the models.", answer: .json(Models.listSchema), perform: Models.list),
        Endpoint(.get, "/v1/models/{model}", "Shows a model.", answer: .json(Models.schema), perform: Models.show),
        Endpoint(
            .post,
            "/tokenize",
            "The tokens of a text.",
            fields: Texts.tokenizeTable,
            answer: .json(Texts.tokenizeSchema),
            perform: Texts.tokenize
        ),
        Endpoint(
            .post,
            "/detokenize",
            "The text of tokens.",
            fields: Texts.detokenizeTable,
            answer: .json(Texts.detokenizeSchema),
            perform: Texts.detokenize
        ),
        Endpoint(
            .post,
            "/apply-template",
            "The prompt that a conversation becomes.",
            fields: Texts.templateTable,
            answer: .json(Texts.templateSchema),
            perform: Texts.applyTemplate
        ),
        Endpoint(
            .get,
            "/capabilities",
            "What the models and the server can do.",
            answer: .json(Models.capabilitiesSchema),
            perform: Models.capabilities
        ),
    ]

    private static func chat(_ call: Call) async throws -> Reply {
        let request = try ChatRequest(call.fields)
        let served = try await call.model(named: request.model)
        let inference = try await call.service.start(
            request.inference,
            on: served,
            for: call,
            promptField: "messages"
        )
        let header = AnswerHeader(prefix: "chatcmpl-", call: call, model: served)
        let hasLogprobs = request.inference.alternativeCount != nil
        let reader = ConversationReader(
            request.conversation,
            shape: request.inference.shape,
            of: served.model,
            beginsThinking: inference.beginsThinking
        )
        let readers = Array(repeating: reader, count: request.inference.choiceCount)
        guard !request.isStreamed else {
            let stream = ChatStream(
                header: header,
                readers: readers,
                hasLogprobs: hasLogprobs,
                includesUsage: request.includesUsage
            )
            return Reply(body: .events(inference, stream))
        }
        var choices = readers.map { ChatChoice(reader: $0) }
        let usage = try await inference.collect { choices[$0].add($1) }
        let answer = ChatAnswer(header: header, choices: choices, usage: usage, hasLogprobs: hasLogprobs)
        return .json(answer.write)
    }

    private static func complete(_ call: Call) async throws -> Reply {
        let request = try CompletionRequest(call.fields)
        let served = try await call.model(named: request.model)
        let inference = try await call.service.start(request.inference, on: served, for: call, promptField: "prompt")
        let header = AnswerHeader(prefix: "cmpl-", call: call, model: served)
        guard !request.isStreamed else {
            let stream = CompletionStream(
                header: header,
                echoes: inference.echoes,
                choiceCount: request.inference.choiceCount,
                hasLogprobs: request.hasLogprobs,
                includesUsage: request.includesUsage
            )
            return Reply(body: .events(inference, stream))
        }
        var choices = Array(repeating: CompletionChoice(), count: request.inference.sequenceCount)
        let usage = try await inference.collect { choices[$0].add($1) }
        let answer = CompletionAnswer(
            header: header,
            choices: CompletionChoice.best(request.givenCount, of: choices, perPrompt: request.inference.choiceCount),
            echoes: inference.echoes,
            choiceCount: request.givenCount,
            usage: usage,
            hasLogprobs: request.hasLogprobs
        )
        return .json(answer.write)
    }
}
