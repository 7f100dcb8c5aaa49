import ApusChat
import ApusFormats

/// The fields that say what an answer must look like.
enum ShapeFields {
    static let responseFormat = Field(
        "response_format",
        .object([
            Schema.Property("type", .choice(["text", "json_object", "json_schema"]), isRequired: true),
            Schema.Property(
                "json_schema",
                .object([
                    Schema.Property("name", .string),
                    Schema.Property("description", .string),
                    Schema.Property("schema", .oneOf([.anyObject, .boolean]), isRequired: true),
                    Schema.Property("strict", .boolean),
                ])
            ),
        ]),
        "Text, any JSON object, or the documents of a JSON Schema; always enforced, strict or not."
    )
    static let grammar = Field(
        "grammar",
        .string,
        "A grammar in llama.cpp's notation, GBNF, whose rule root is the whole answer. Not together with response_format."
    )

    static let all = [responseFormat, grammar]

    /// What the content must look like.
    static func content(_ fields: FieldValues) throws -> AnswerShape.Content {
        let format = fields[responseFormat]
        let schema = try format?.memberIfPresent("json_schema")
        let content: AnswerShape.Content
        switch try format?.member("type").string() {
        case "json_object": content = .jsonObject
        case "json_schema":
            guard let schema else {
                throw ServiceError(
                    .invalidRequest,
                    "response_format.json_schema: is missing",
                    field: "response_format.json_schema"
                )
            }
            content = .jsonSchema(try schema.member("schema").compactText)
        default: content = .anything
        }
        guard let grammar = fields.string(grammar) else { return content }
        guard content == .anything else {
            throw ServiceError(.invalidRequest, "grammar: not together with response_format", field: "grammar")
        }
        return .gbnf(grammar)
    }
}

/// What `tools` and `tool_choice` say of an answer's calls.
struct ToolFields {
    /// The functions as templates show them; nil where none may be called.
    let shown: [ChatValue]?
    /// The calls that may or must come.
    let calls: AnswerShape.Calls?

    /// Reads them.
    /// - Throws: `ServiceError` for a choice without tools, or of a function that is not among them.
    init(_ fields: FieldValues) throws {
        let choice = fields[ChatFields.toolChoice]
        let tools = try fields[ChatFields.tools]?.elements()
        guard let tools, !tools.isEmpty else {
            guard choice == nil || choice?.text == "none" || choice?.text == "auto" && tools != nil else {
                throw ServiceError(.invalidRequest, "tool_choice: only with tools", field: "tool_choice")
            }
            (shown, calls) = (nil, nil)
            return
        }
        guard choice?.text != "none" else {
            (shown, calls) = (nil, nil)
            return
        }
        shown = try tools.map { try ChatValue($0) }
        var calls = AnswerShape.Calls(
            functions: try tools.map { try AnswerShape.Calls.Function($0.member("function")) },
            isRequired: choice?.text == "required",
            allowsMany: fields.bool(ChatFields.parallelToolCalls) ?? true
        )
        if let choice, choice.kind == .object {
            let name = try choice.member("function").member("name").string()
            calls.functions.removeAll { $0.name != name }
            guard !calls.functions.isEmpty else {
                throw ServiceError(
                    .invalidRequest,
                    "tool_choice: \(name.quotedForMessage) is not among the tools",
                    field: "tool_choice"
                )
            }
            calls.isRequired = true
            calls.allowsMany = false
        }
        self.calls = calls
    }
}

extension AnswerShape.Calls.Function {
    fileprivate init(_ function: JSONValue) throws {
        self.init(
            name: try function.member("name").string(),
            parameters: try function.memberIfPresent("parameters")?.compactText,
            isStrict: try function.memberIfPresent("strict")?.bool() ?? false
        )
    }
}

extension JSONValue {
    fileprivate var compactText: String {
        var writer = JSONWriter(.compact)
        writer.value(self)
        return writer.text
    }
}
