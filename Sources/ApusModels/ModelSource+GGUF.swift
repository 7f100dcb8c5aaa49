import ApusCore
package import ApusFormats
import ApusNN
import ApusTensor

extension ModelSource {
    /// The settings as GGUF metadata keeps them ("GGUF file format", LLM keys): what `ConfigurationReader` reads back.
    /// - Parameter vocabularySize: rows of the embedding.
    /// - Throws: `ApusError` (`unsupported`) for settings that GGUF has no key for.
    package func ggufFields(vocabularySize: Int) throws -> [(key: String, value: GGUFHeader.Value)] {
        let own: [(String, Int)] = [
            ("vocab_size", vocabularySize), ("context_length", configuration.contextLength),
            ("embedding_length", configuration.hiddenSize), ("block_count", configuration.layerCount),
            ("feed_forward_length", configuration.feedForwardSize),
            ("attention.head_count", configuration.queryHeadCount),
            ("attention.head_count_kv", configuration.keyValueHeadCount),
            ("attention.key_length", configuration.headDimension),
            ("attention.value_length", configuration.headDimension),
            ("rope.dimension_count", configuration.rotaryDimension),
        ]
        var fields: [(String, GGUFHeader.Value)] = own.map { ($0, .uint32(UInt32(clamping: $1))) }
        fields.append(("attention.layer_norm_rms_epsilon", .float32(configuration.epsilon)))
        fields.append(("rope.freq_base", .float32(Float(configuration.rotaryBase))))
        if configuration.slidingWindow > 0 {
            fields.append(("attention.sliding_window", .uint32(UInt32(clamping: configuration.slidingWindow))))
        }
        fields += try configuration.rotaryScaling.ggufFields
        let extras = try family.ggufExtras(configuration)
        if case .llama3 = configuration.rotaryScaling, extras.vectors.isEmpty {
            throw ApusError(
                .unsupported,
                "\(tensors.path): rope_type llama3: expected a model of architecture llama, found \(family.architecture)"
            )
        }
        fields += extras.fields
        return [("general.architecture", .string(family.architecture))]
            + fields.map { ("\(family.architecture).\($0.0)", $0.1) }
    }

    /// For a matrix whose rows GGUF has in another order than the folder: the folder's row that each row is.
    ///
    /// Rows of a head stay together. Nil for all other matrices.
    /// - Parameter name: the GGUF name.
    package func folderRowOrder(of name: String) -> (@Sendable (Int) -> Int)? {
        let parts = name.split(separator: ".")
        guard family.ggufRotaryStyle == .interleaved, parts.count == 4, ["attn_q", "attn_k"].contains(parts[2]) else {
            return nil
        }
        let (headDimension, rotaryDimension) = (configuration.headDimension, configuration.rotaryDimension)
        return { row in
            let place = row % headDimension
            guard place < rotaryDimension else { return row }
            return row - place + place % 2 * (rotaryDimension / 2) + place / 2
        }
    }
}

extension RotaryEmbedding.Scaling {
    fileprivate var ggufFields: [(String, GGUFHeader.Value)] {
        get throws {
            switch self {
            // The factors of these two are tensors.
            case .none, .llama3, .factors: return []
            case .linear(let factor):
                return [("rope.scaling.type", .string("linear")), ("rope.scaling.factor", .float32(Float(factor)))]
            case .yarn(let factor, let original, let betaFast, let betaSlow, let attentionFactor):
                var fields: [(String, GGUFHeader.Value)] = [
                    ("rope.scaling.type", .string("yarn")), ("rope.scaling.factor", .float32(Float(factor))),
                    ("rope.scaling.original_context_length", .uint32(UInt32(clamping: Int(original)))),
                    ("rope.scaling.yarn_beta_fast", .float32(Float(betaFast))),
                    ("rope.scaling.yarn_beta_slow", .float32(Float(betaSlow))),
                ]
                if let attentionFactor {
                    fields.append(("rope.scaling.yarn_attn_factor", .float32(Float(attentionFactor))))
                }
                return fields
            }
        }
    }
}
