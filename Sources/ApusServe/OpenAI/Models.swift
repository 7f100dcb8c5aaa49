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
                for entry in call.service.registry.entries { writer.object { write(entry, call, to: &$0) } }
            }
        }
    }

    static func show(_ call: Call) throws -> Reply {
        let registry = call.service.registry
        let entry = registry.entries[try registry.number(of: call.parameter)]
        return .json { write(entry, call, to: &$0) }
    }

    private static func write(_ entry: ModelRegistry.Entry, _ call: Call, to writer: inout JSONWriter) {
        writer.member("id", entry.id)
        writer.member("object", "model")
        writer.member("created", call.service.registry.created)
        writer.member("owned_by", "local")
    }

    static func capabilities(_ call: Call) -> Reply {
        .json { writer in
            writer.arrayMember("models") { writer in
                for report in call.service.registry.reports { writer.object { writeCapabilities(report, to: &$0) } }
            }
            writer.objectMember("limits") { writer in
                writer.member("memory_bytes", call.service.registry.byteLimit)
                writer.member("answers_in_flight", call.service.admission.limit)
                writer.member("body_bytes", RequestLimits.bodyByteCount)
            }
        }
    }

    private static func writeCapabilities(_ report: ModelRegistry.Report, to writer: inout JSONWriter) {
        let plan = report.entry.plan
        writer.member("id", report.entry.id)
        writer.member("loaded", report.model != nil)
        writer.objectMember("memory") { writer in
            writer.member("weights_bytes", plan.weights)
            writer.member("kv_bytes", plan.keyValues)
            writer.member("kv_positions", plan.kvPositionCount)
            writer.member("buffers_bytes", plan.buffers)
        }
        writer.member("context_length", plan.contextLength)
        writer.member("completions", true)
        writer.member("embeddings", true)
        writer.member("structured_output", true)
        // The rest is known since the model was first loaded.
        guard let details = report.details else { return }
        writer.member("vocabulary_size", details.vocabularySize)
        writer.member("chat", details.isConversational)
        writer.member("infill", details.fillsGaps)
        writer.member("tools", details.takesTools)
    }
}
