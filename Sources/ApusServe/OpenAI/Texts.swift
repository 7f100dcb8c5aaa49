import Apus
import ApusFormats
import ApusTokenizers

/// `/tokenize`, `/detokenize` and `/apply-template`: what a model sees, without generating.
enum Texts {
    static let content = Field("content", .string, "The text.", isRequired: true)
    static let addSpecial = Field("add_special", .boolean, "Adds what frames a text, such as BOS. false unless given.")
    static let parseSpecial = Field(
        "parse_special",
        .boolean,
        "Special tokens' names in the text stand for these tokens. true unless given."
    )
    static let tokens = Field(
        "tokens",
        .array(CompletionFields.token, counts: 0 ... .max),
        "The tokens.",
        isRequired: true
    )
    static let addGenerationPrompt = Field(
        "add_generation_prompt",
        .boolean,
        "Ends with the beginning of the answer. true unless given."
    )

    static let tokenizeTable = FieldTable("TokenizeRequest", [content, SamplingFields.model, addSpecial, parseSpecial])
    static let detokenizeTable = FieldTable("DetokenizeRequest", [tokens, SamplingFields.model])
    static let templateTable = FieldTable(
        "ApplyTemplateRequest",
        [
            ChatFields.messages, SamplingFields.model, ChatFields.tools, ChatFields.templateVariables,
            addGenerationPrompt,
        ]
    )

    static let tokenizeSchema = Schema.object([
        Schema.Property("tokens", .array(CompletionFields.token, counts: 0 ... .max), isRequired: true)
    ])
    static let detokenizeSchema = Schema.object([Schema.Property("content", .string, isRequired: true)])
    static let templateSchema = Schema.object([Schema.Property("prompt", .string, isRequired: true)])

    static func tokenize(_ call: Call) async throws -> Reply {
        let fields = call.fields
        let tokenizer = try await call.model(named: fields.string(SamplingFields.model)).model.tokenizer
        let ids = try await call.service.prepare {
            tokenizer.encode(
                fields.string(content) ?? "",
                parseSpecial: fields.bool(parseSpecial) ?? true,
                addSpecial: fields.bool(addSpecial) ?? false
            )
        }
        return .json { $0.arrayMember("tokens") { writer in for id in ids { writer.value(id) } } }
    }

    static func detokenize(_ call: Call) async throws -> Reply {
        let fields = call.fields
        let tokenizer = try await call.model(named: fields.string(SamplingFields.model)).model.tokenizer
        let ids = try fields[tokens]?.elements().map { Int32(clamping: $0.wholeNumber ?? 0) } ?? []
        if let index = ids.firstIndex(where: { Int($0) >= tokenizer.vocabularySize }) {
            throw ServiceError(
                .invalidRequest,
                "tokens[\(index)]: expected 0 to \(tokenizer.vocabularySize - 1), found \(ids[index])",
                field: "tokens[\(index)]"
            )
        }
        let bytes = try await call.service.prepare { tokenizer.decode(ids) }
        return .json { $0.member("content", String(decoding: bytes, as: UTF8.self)) }
    }

    static func applyTemplate(_ call: Call) async throws -> Reply {
        let served = try await call.model(named: call.fields.string(SamplingFields.model))
        var conversation = try ChatRequest.conversation(call.fields)
        conversation.addsGenerationPrompt = call.fields.bool(addGenerationPrompt) ?? true
        let text = try await call.service.prepare { [conversation] in try served.text(of: conversation) }
        return .json { $0.member("prompt", text) }
    }
}
