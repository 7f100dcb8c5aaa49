import ApusChat
import ApusFormats

/// A chat completion as asked for: what to generate, and how to send it.
package struct ChatRequest: Sendable {
    /// The fields of the body.
    package static let table = ChatFields.table

    package let model: String?
    package let inference: InferenceRequest
    package let conversation: Conversation
    package let isStreamed: Bool
    package let includesUsage: Bool

    /// Decodes a body's checked fields.
    /// - Throws: `ServiceError` naming the field.
    package init(_ fields: FieldValues) throws {
        model = fields.string(SamplingFields.model)
        isStreamed = fields.bool(SamplingFields.stream) ?? false
        includesUsage = try SamplingFields.includesUsage(fields)
        conversation = try Self.conversation(fields)
        var request = try SamplingFields.request(prompts: [.conversation(conversation)], fields)
        request.maximumTokenCount = try Self.maximumTokenCount(fields)
        request.alternativeCount = try Self.alternativeCount(fields)
        request.shape.calls = try ToolFields(fields).calls
        inference = request
    }

    /// The conversation of a body that has one.
    static func conversation(_ fields: FieldValues) throws -> Conversation {
        var conversation = Conversation(messages: try messages(fields))
        conversation.tools = try ToolFields(fields).shown
        conversation.variables = try variables(fields)
        conversation.allowsManyCalls = fields.bool(ChatFields.parallelToolCalls) ?? true
        return conversation
    }

    private static func maximumTokenCount(_ fields: FieldValues) throws -> Int? {
        let (old, new) = (fields.integer(ChatFields.maxTokens), fields.integer(ChatFields.maxCompletionTokens))
        if let old, let new, old != new {
            throw ServiceError(
                .invalidRequest,
                "max_tokens: \(old) and max_completion_tokens: \(new) say different things; give one of them",
                field: "max_tokens"
            )
        }
        return new ?? old
    }

    private static func alternativeCount(_ fields: FieldValues) throws -> Int? {
        let count = fields.integer(ChatFields.topLogprobs)
        guard fields.bool(ChatFields.logprobs) == true else {
            if let count, count > 0 {
                throw ServiceError(
                    .invalidRequest,
                    "top_logprobs: only with logprobs: true",
                    field: "top_logprobs"
                )
            }
            return nil
        }
        return count ?? 0
    }

    private static func variables(_ fields: FieldValues) throws -> [String: ChatValue] {
        var variables: [String: ChatValue] = [:]
        guard let members = try fields[ChatFields.templateVariables]?.members() else { return variables }
        for (key, value) in members {
            let name = try key.string()
            guard !["messages", "tools", "add_generation_prompt", "bos_token", "eos_token"].contains(name) else {
                throw ServiceError(
                    .invalidRequest,
                    "chat_template_kwargs: \(name) is not for requests to set",
                    field: "chat_template_kwargs"
                )
            }
            variables[name] = try ChatValue(value)
        }
        return variables
    }

    /// The messages as templates know them.
    private static func messages(_ fields: FieldValues) throws -> [ChatValue] {
        guard let messages = try fields[ChatFields.messages]?.elements() else { return [] }
        return try messages.enumerated().map { index, message in
            var members: [ChatValue.Member] = []
            for (key, value) in try message.members() where !value.isNull || key.text == "content" {
                let name = try key.string()
                members.append(ChatValue.Member(name, try Self.value(of: name, value)))
            }
            // Templates read it, so it must be there.
            if !members.contains(where: { $0.key == "content" }) {
                guard members.contains(where: { $0.key == "tool_calls" }) else {
                    let field = "messages[\(index)].content"
                    throw ServiceError(.invalidRequest, "\(field): is missing", field: field)
                }
                members.append(ChatValue.Member("content", nil))
            }
            return .object(members)
        }
    }

    private static func value(of name: String, _ value: JSONValue) throws -> ChatValue {
        switch name {
        case "role":
            // The newer name of the same role; templates know the older one.
            return .string(value.text == "developer" ? "system" : value.text ?? "")
        case "content":
            guard value.kind == .array else { return try ChatValue(value) }
            return .string(try value.elements().map { try $0.member("text").string() }.joined(separator: "\n"))
        case "tool_calls":
            return .array(try value.elements().map { try toolCall($0) })
        default:
            return try ChatValue(value)
        }
    }

    /// A tool call with its arguments as an object, which is what templates were written for.
    private static func toolCall(_ call: JSONValue) throws -> ChatValue {
        let function = try call.member("function")
        let text = try function.member("arguments").string()
        let parsed = try? JSONValue(parsing: Array(text.utf8), name: "arguments")
        let arguments = parsed?.kind == .object ? try parsed.map { try ChatValue($0) } : nil
        return [
            "id": .string(try call.member("id").string()),
            "type": "function",
            "function": [
                "name": .string(try function.member("name").string()), "arguments": arguments ?? .string(text),
            ],
        ]
    }
}
