import ApusFormats

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// `/v1/embeddings`.
enum Embeddings {
    static let input = Field(
        "input",
        .oneOf([
            .string, .array(.string, counts: 1...maximumCount), .array(CompletionFields.token, counts: 1 ... .max),
            .array(.array(CompletionFields.token, counts: 1 ... .max), counts: 1...maximumCount),
        ]),
        "A text, texts, a list of tokens or lists of tokens.",
        isRequired: true
    )
    static let encoding = Field(
        "encoding_format",
        .choice(["float", "base64"]),
        "base64 packs little-endian 32-bit floats. float unless given."
    )
    static let table = FieldTable(
        "EmbeddingRequest",
        [input, SamplingFields.model, encoding, Field.ignored("user", .string, "Ignored: no users are told apart.")],
        refused: ["dimensions": "embeddings have the model's size"]
    )
    private static let maximumCount = 2048

    static let schema = Schema.object([
        Schema.Property("object", .string, isRequired: true),
        Schema.Property("model", .string, isRequired: true),
        Schema.Property("data", .array(.anyObject, counts: 1 ... .max), isRequired: true),
        Schema.Property("usage", .anyObject, isRequired: true),
    ])

    static func perform(_ call: Call) async throws -> Reply {
        let served = try await call.model(named: call.fields.string(SamplingFields.model))
        let inputs = try call.fields[input]?.prompts() ?? []
        let (vectors, tokenCount) = try await call.service.embed(inputs, on: served, for: call)
        let isPacked = call.fields.string(encoding) == "base64"
        return .json { writer in
            writer.member("object", "list")
            writer.arrayMember("data") { writer in
                for (index, vector) in vectors.enumerated() {
                    writer.object { writer in
                        writer.member("object", "embedding")
                        writer.member("index", index)
                        if isPacked {
                            writer.member("embedding", vector.base64)
                        } else {
                            writer.arrayMember("embedding") { writer in for x in vector { writer.value(Double(x)) } }
                        }
                    }
                }
            }
            writer.member("model", served.id)
            writer.objectMember("usage") { writer in
                writer.member("prompt_tokens", tokenCount)
                writer.member("total_tokens", tokenCount)
            }
        }
    }
}

extension [Float] {
    /// The little-endian bytes in base64.
    fileprivate var base64: String {
        Data(flatMap { x in (0..<4).map { UInt8(truncatingIfNeeded: x.bitPattern >> (8 * $0)) } }).base64EncodedString()
    }
}
