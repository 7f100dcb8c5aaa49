import Apus
import ApusEngine
import ApusFormats
import ApusTokenizers

/// `/v1/models` and `/capabilities`.
enum Models {
    private static let properties = [
        Schema.Property("id", .string, isRequired: true),
        Schema.Property("object", .string, isRequired: true),
        Schema.Property("created", .integer(0 ... .max), isRequired: true),
        Schema.Property("owned_by", .string, isRequired: true),
    ]
    static let schema = Schema.object(properties)
    static let listSchema = Schema.object([
        Schema.Property("object", .string, isRequired: true),
        Schema.Property("data", .array(schema, counts: 1 ... .max), isRequired: true),
    ])
    static let capabilitiesSchema = Schema.object([
        Schema.Property("models", .array(.anyObject, counts: 1 ... .max), isRequired: true),
        Schema.Property("limits", .anyObject, isRequired: true),
    ])

    static func list(_ call: Call) -> Reply {
        .json { writer in
            writer.member("object", "list")
            writer.arrayMember("data") { writer in
                for served in call.service.registry.models { writer.object { write(served, to: &$0) } }
            }
        }
    }

    static func show(_ call: Call) throws -> Reply {
        let served = try call.service.registry.model(named: call.parameter)
        return .json { write(served, to: &$0) }
    }

    private static func write(_ served: ServedModel, to writer: inout JSONWriter) {
        writer.member("id", served.id)
        writer.member("object", "model")
        writer.member("created", served.created)
        writer.member("owned_by", "local")
    }

    static func capabilities(_ call: Call) -> Reply {
        .json { writer in
            writer.arrayMember("models") { writer in
                for served in call.service.registry.models { writer.object { writeCapabilities(served, to: &$0) } }
            }
            writer.objectMember("limits") { writer in
                writer.member("answers_in_flight", call.service.admission.limit)
                writer.member("body_bytes", RequestLimits.bodyByteCount)
            }
        }
    }

    private static func writeCapabilities(_ served: ServedModel, to writer: inout JSONWriter) {
        let model = served.model
        writer.member("id", served.id)
        writer.member("context_length", model.engine.contextLength)
        writer.member("vocabulary_size", model.tokenizer.vocabularySize)
        writer.member("completions", true)
        writer.member("embeddings", true)
        writer.member("chat", model.chatTemplate != nil)
        writer.member("infill", served.fillsGaps)
        writer.member("tools", model.toolTemplate != nil)
        writer.member("structured_output", true)
    }
}
