import ApusChat
import ApusEngine
import ApusServe
import Testing

struct ChatRequestTests {
    private static func request(_ members: String) throws -> ChatRequest {
        let json = #"{"messages": [{"role": "user", "content": "Hi"}]\#(members.isEmpty ? "" : ", " + members)}"#
        return try ChatRequest(Body.fields(json, ChatRequest.table))
    }

    private static func conversation(_ messages: String) throws -> Conversation? {
        let request = try ChatRequest(Body.fields(#"{"messages": \#(messages)}"#, ChatRequest.table))
        guard case .conversation(let conversation)? = request.inference.prompts.first else { return nil }
        return conversation
    }

    @Test func samplingFieldsArrive() throws {
        let request = try Self.request(
            """
            "temperature": 0.5, "top_p": 0.75, "top_k": 7, "min_p": 0.25, "typical_p": 0.5, "seed": -1, "n": 3,
            "repetition_penalty": 1.5, "frequency_penalty": 0.5, "presence_penalty": -0.5, "stop": "END",
            "logit_bias": {"5": 1.5, "7": -100}, "max_completion_tokens": 9, "logprobs": true, "top_logprobs": 4
            """
        )
        let inference = request.inference
        #expect(inference.sampling.temperature == 0.5 && inference.sampling.topP == 0.75)
        #expect(inference.sampling.topK == 7 && inference.sampling.minP == 0.25 && inference.sampling.typicalP == 0.5)
        #expect(inference.sampling.seed == .max)
        #expect(inference.sampling.repetitionPenalty == 1.5 && inference.sampling.frequencyPenalty == 0.5)
        #expect(inference.sampling.presencePenalty == -0.5)
        #expect(inference.sampling.logitBias == [5: 1.5, 7: -.infinity])
        #expect(inference.choiceCount == 3 && inference.stop == ["END"] && inference.maximumTokenCount == 9)
        #expect(inference.alternativeCount == 4)
        #expect(!request.isStreamed)
    }

    @Test func whatIsNotGivenIsWhatTheCommandLineHas() throws {
        #expect(try Self.request("").inference.sampling == .init())
        #expect(try Self.request(#""top_p": 0"#).inference.sampling.topP > 0)
    }

    @Test(arguments: [
        (#""top_logprobs": 3"#, "top_logprobs"), (#""logit_bias": {"x": 1}"#, "logit_bias"),
        (#""max_tokens": 1, "max_completion_tokens": 2"#, "max_tokens"), (#""max_tokens": 0"#, "max_tokens"),
        (#""stream_options": {"include_usage": true}"#, "stream_options"), (#""n": 0"#, "n"),
        (#""response_format": {"type": "json_schema"}"#, "response_format.json_schema"),
        (
            #""response_format": {"type": "json_schema", "json_schema": {"name": "x"}}"#,
            "response_format.json_schema.schema"
        ),
        (#""response_format": {"type": "xml"}"#, "response_format.type"), (#""temperature": 2.5"#, "temperature"),
        (#""response_format": {"type": "json_object"}, "grammar": "root ::= \"x\"""#, "grammar"),
        (#""tools": [], "tool_choice": "required""#, "tool_choice"), (#""tool_choice": "auto""#, "tool_choice"),
        (
            #""tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": {"type": "function", "function": {"name": "g"}}"#,
            "tool_choice"
        ),
        (#""functions": []"#, "functions"), (#""store": true"#, "store"),
        (#""reasoning_effort": "low""#, "reasoning_effort"),
        (#""chat_template_kwargs": {"messages": []}"#, "chat_template_kwargs"),
    ])
    func whatIsNotDoneIsRefused(members: String, field: String) throws {
        let error = #expect(throws: ServiceError.self) { try Self.request(members) }
        #expect(error?.field == field, "\(error?.message ?? "")")
    }

    @Test func partsAreJoinedAndDeveloperIsSystem() throws {
        let messages = """
            [{"role": "developer", "content": "Be brief."},
             {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]
            """
        #expect(
            try Self.conversation(messages)?.messages == [
                ["role": "system", "content": "Be brief."], ["role": "user", "content": "a\nb"],
            ]
        )
    }

    @Test func toolCallsHaveTheirArgumentsAsAnObject() throws {
        let messages = """
            [{"role": "assistant", "content": null, "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{\\"x\\": 1}"}}]},
             {"role": "tool", "tool_call_id": "1", "content": "2"}]
            """
        let conversation = try Self.conversation(messages)
        let function: ChatValue = ["name": "f", "arguments": ["x": 1]]
        #expect(
            conversation?.messages.first == [
                "role": "assistant", "content": nil,
                "tool_calls": [["id": "1", "type": "function", "function": function]],
            ]
        )
    }

    @Test(arguments: [
        (#"[]"#, "messages"), (#"[{"role": "user"}]"#, "messages[0].content"),
        (#"[{"content": "x"}]"#, "messages[0].role"), (#"[{"role": "king", "content": "x"}]"#, "messages[0].role"),
        (#"[{"role": "user", "content": 5}]"#, "messages[0].content"),
        (#"[{"role": "user", "content": [{"type": "image_url"}]}]"#, "messages[0].content[0].type"),
        (#"[{"role": "user", "content": "x", "mood": "good"}]"#, "messages[0].mood"),
    ])
    func aBadMessageIsNamed(messages: String, field: String) throws {
        let error = #expect(throws: ServiceError.self) { try Self.conversation(messages) }
        #expect(error?.field == field, "\(error?.message ?? "")")
    }

    @Test func shapesAreRead() throws {
        func shape(_ members: String) throws -> AnswerShape { try Self.request(members).inference.shape }
        #expect(try shape("") == AnswerShape())
        #expect(try shape(#""response_format": {"type": "text"}"#) == AnswerShape())
        #expect(try shape(#""response_format": {"type": "json_object"}"#).content == .jsonObject)
        #expect(try shape(#""grammar": "root ::= .""#).content == .gbnf("root ::= ."))
        let schema =
            #""response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "null"}}}"#
        #expect(try shape(schema).content == .jsonSchema(#"{"type":"null"}"#))
        let tools =
            #""tools": [{"type": "function", "function": {"name": "f", "strict": true, "parameters": {}}}, "#
            + #"{"type": "function", "function": {"name": "g"}}]"#
        let functions = [
            AnswerShape.Calls.Function(name: "f", parameters: "{}", isStrict: true),
            AnswerShape.Calls.Function(name: "g", parameters: nil, isStrict: false),
        ]
        #expect(try shape(tools).calls == .init(functions: functions, isRequired: false, allowsMany: true))
        #expect(try shape(tools + #", "tool_choice": "none""#).calls == nil)
        #expect(
            try shape(tools + #", "tool_choice": "required", "parallel_tool_calls": false"#).calls
                == .init(functions: functions, isRequired: true, allowsMany: false)
        )
        #expect(
            try shape(tools + #", "tool_choice": {"type": "function", "function": {"name": "g"}}"#).calls
                == .init(functions: [functions[1]], isRequired: true, allowsMany: false)
        )
    }

    @Test func toolsReachTheTemplateUnlessTheyAreNotToBeCalled() throws {
        let tools = #""tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]"#
        for (choice, count) in [("", 1), (#", "tool_choice": "auto""#, 1), (#", "tool_choice": "none""#, nil)] {
            guard case .conversation(let conversation)? = try Self.request(tools + choice).inference.prompts.first
            else {
                Issue.record("no conversation")
                continue
            }
            #expect(conversation.tools?.count == count)
        }
    }
}
