// Gemma 3 (text): Gemma Team, "Gemma 3 Technical Report", 2025. Reference: transformers' modeling_gemma3.py.
// Five sliding-window layers to one global layer, each kind with its own rotary base; norms of queries and keys; norms
// before and behind each branch; embeddings scaled by the square root of their width; GELU in the gate.

import ApusCore
import ApusFormats
import ApusNN
import ApusTensor

extension ModelFamily {
    package static let gemma3 = ModelFamily(
        architecture: "gemma3",
        modelTypes: ["gemma3_text"],
        tensorNames: TensorNames([
            "post_attention_norm": "post_attention_layernorm",
            "ffn_norm": "pre_feedforward_layernorm",
            "post_ffw_norm": "post_feedforward_layernorm",
        ]),
        load: { configuration, weights in
            let local = RotaryEmbedding(dimension: configuration.rotaryDimension, base: configuration.localRotaryBase)
            return try weights.decoder(
                configuration,
                rotary: [configuration.rotary, local],
                embeddingScale: Float(configuration.hiddenSize).squareRoot(),
                normOffset: configuration.normOffset
            ) { layer in
                try weights.gemma3Block(layer, configuration)
            }
        },
        configure: { configuration, reader in
            configuration.slidingWindow =
                try reader.integer(gguf: "attention.sliding_window", huggingFace: "sliding_window", in: 1...1_048_576)
                ?? 1024
            configuration.localRotaryBase =
                try reader.rotary(ofLayers: "sliding_attention")?
                .number(gguf: nil, huggingFace: "rope_theta", in: 1...1e12)
                ?? reader.number(gguf: "rope.freq_base_swa", huggingFace: "rope_local_base_freq", in: 1...1e12)
                ?? 10_000
            configuration.globalLayers = try reader.globalLayers(count: configuration.layerCount)
            // GGUF converters fold the 1 of (1 + weight) into the weights.
            configuration.normOffset = reader.isGGUF ? 0 : 1
            let scalar =
                try reader.number(gguf: nil, huggingFace: "query_pre_attn_scalar", in: 1...65_536)
                ?? configuration.gemma3ScoreScalar
            configuration.attentionScale = Float(1 / scalar.squareRoot())
        },
        ggufExtras: { configuration in
            guard configuration.globalLayers == gemma3GlobalLayers(count: configuration.layerCount) else {
                throw ApusError(
                    .unsupported,
                    "GGUF: expected every sixth layer of a gemma3 model to have full attention, found another pattern"
                )
            }
            guard configuration.attentionScale == Float(1 / configuration.gemma3ScoreScalar.squareRoot()) else {
                throw ApusError(
                    .unsupported,
                    "GGUF: expected query_pre_attn_scalar \(configuration.gemma3ScoreScalar), found another"
                )
            }
            var extras = GGUFExtras()
            extras.fields.append(("rope.freq_base_swa", .float32(Float(configuration.localRotaryBase))))
            return extras
        }
    )

    /// Which layers see the whole context: every `pattern`-th.
    fileprivate static func gemma3GlobalLayers(count: Int, pattern: Int = 6) -> [Bool] {
        (1...count).map { $0 % pattern == 0 }
    }
}

extension ModelConfiguration {
    /// What scores are divided by the root of: the 27B model alone takes the width per head instead of the head dimension.
    fileprivate var gemma3ScoreScalar: Double {
        let is27B = layerCount == 62
        return Double(is27B ? hiddenSize / queryHeadCount : headDimension)
    }
}

extension ConfigurationReader {
    /// Which layers see the whole context: as listed in `layer_types`, or every `sliding_window_pattern`-th, by default
    /// every sixth.
    fileprivate func globalLayers(count: Int) throws -> [Bool] {
        if case .huggingFace(let json, let path) = source, let kinds = try json.memberIfPresent("layer_types") {
            let listed = try kinds.elements().map { try $0.string() == "full_attention" }
            guard listed.count == count else {
                throw ApusError(
                    .malformedFile,
                    "\(path): field layer_types: expected \(count) entries, found \(listed.count)"
                )
            }
            return listed
        }
        let pattern = try integer(gguf: nil, huggingFace: "sliding_window_pattern", in: 1...1024) ?? 6
        return ModelFamily.gemma3GlobalLayers(count: count, pattern: pattern)
    }
}

extension WeightLoader {
    fileprivate func gemma3Block(_ layer: Int, _ configuration: ModelConfiguration) throws -> DecoderBlock {
        let isGlobal = configuration.globalLayers[layer]
        func norm(_ name: String, _ count: Int) throws -> RMSNorm {
            try self.norm("blk.\(layer).\(name)", count: count, configuration, offset: configuration.normOffset)
        }
        return DecoderBlock(
            attentionNorm: try norm("attn_norm", configuration.hiddenSize),
            attention: Attention(
                layer: layer,
                geometry: configuration.geometry(scale: configuration.attentionScale),
                projections: try separateProjections(layer: layer, configuration),
                queryNorm: try norm("attn_q_norm", configuration.headDimension),
                keyNorm: try norm("attn_k_norm", configuration.headDimension),
                rotaryTable: isGlobal ? 0 : 1,
                rotaryStyle: configuration.rotaryStyle,
                window: isGlobal ? 0 : configuration.slidingWindow,
                output: try attentionOutput(
                    layer: layer,
                    configuration,
                    postNorm: norm("post_attention_norm", configuration.hiddenSize)
                )
            ),
            mlpNorm: try norm("ffn_norm", configuration.hiddenSize),
            mlp: try gatedMLP(
                layer: layer,
                configuration,
                activation: .gelu,
                postNorm: norm("post_ffw_norm", configuration.hiddenSize)
            )
        )
    }
}
