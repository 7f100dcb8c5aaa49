import ApusCore
import ApusFormats
package import ApusNN

extension RotaryEmbedding.Scaling {
    /// Reads `<arch>.rope.scaling.*` or Hugging Face's `rope_scaling`.
    /// - Throws: `ApusError` (`unsupported`) for kinds Apus does not know, naming those it does.
    package init(_ reader: ConfigurationReader) throws {
        switch reader.source {
        case .gguf(let metadata, let architecture):
            let key = "\(architecture).rope.scaling.type"
            // Files older than the key say nothing but a linear factor.
            let kind = try metadata.stringIfPresent(key) ?? "linear"
            self = try Self.gguf(kind, reader, field: "metadata \(key)")
        case .huggingFace:
            guard let nested = try reader.rotary() else {
                self = .none
                return
            }
            let kind = try nested.text(huggingFace: "rope_type") ?? nested.text(huggingFace: "type") ?? "default"
            self = try Self.huggingFace(kind, nested, whole: reader)
        }
    }

    private static let factors = 1.0...1e6

    private static func gguf(_ kind: String, _ reader: ConfigurationReader, field: String) throws -> Self {
        func number(_ name: String, _ range: ClosedRange<Double>) throws -> Double? {
            try reader.number(gguf: name, huggingFace: nil, in: range)
        }
        let factor = try number("rope.scaling.factor", factors) ?? number("rope.scale_linear", factors) ?? 1
        let original = try reader.integer(
            gguf: "rope.scaling.original_context_length",
            huggingFace: nil,
            in: 1...16_777_216
        )
        switch kind {
        case "none", "longrope": return .none  // longrope's factors are tensors: Phi3 reads them
        case "linear": return .linear(factor: factor)
        case "yarn":
            let trained = try reader.requiredInteger(gguf: "context_length", huggingFace: "", in: 1...16_777_216)
            return .yarn(
                factor: factor,
                originalContext: Double(original ?? trained),
                betaFast: try number("rope.scaling.yarn_beta_fast", 1e-3...1e9) ?? 32,
                betaSlow: try number("rope.scaling.yarn_beta_slow", 1e-3...1e9) ?? 1,
                // The first is the whole factor, as configurations state it; the second multiplies YaRN's own.
                attentionFactor: try number("rope.scaling.yarn_attn_factor", 0.01...100)
                    ?? number("rope.scaling.attn_factor", 0.01...100)
                    .map { $0 * RotaryEmbedding.yarnMagnitude(factor: factor) }
            )
        default: throw unknown(kind, reader.path, field)
        }
    }

    private static func huggingFace(_ kind: String, _ scaling: ConfigurationReader, whole: ConfigurationReader) throws
        -> Self
    {
        func number(_ name: String) throws -> Double? {
            try scaling.number(gguf: nil, huggingFace: name, in: 1e-3...1e9)
        }
        func required(_ name: String) throws -> Double {
            guard let value = try number(name) else {
                throw ApusError(.malformedFile, "\(scaling.path): field rope_scaling.\(name) is missing")
            }
            return value
        }
        switch kind {
        case "default", "longrope", "su": return .none  // longrope's factors: Phi3 reads them
        case "linear": return .linear(factor: try required("factor"))
        case "yarn":
            let trained = try whole.number(gguf: nil, huggingFace: "max_position_embeddings", in: 1...1e9) ?? 1
            return .yarn(
                factor: try required("factor"),
                originalContext: try number("original_max_position_embeddings") ?? trained,
                betaFast: try number("beta_fast") ?? 32,
                betaSlow: try number("beta_slow") ?? 1,
                attentionFactor: try number("attention_factor")
            )
        case "llama3":
            return .llama3(
                factor: try required("factor"),
                lowFactor: try required("low_freq_factor"),
                highFactor: try required("high_freq_factor"),
                originalContext: try required("original_max_position_embeddings")
            )
        default: throw unknown(kind, scaling.path, "field rope_scaling.rope_type")
        }
    }

    private static func unknown(_ kind: String, _ path: String, _ field: String) -> ApusError {
        ApusError(
            .unsupported,
            "\(path): \(field): expected none, linear, yarn, llama3 or longrope, found \(kind.quotedForMessage)"
        )
    }
}
