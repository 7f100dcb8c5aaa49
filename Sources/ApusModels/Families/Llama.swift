// Llama: Touvron et al., "Llama 2", 2023; Dubey et al., "The Llama 3 Herd of Models", 2024. Reference: transformers'
// modeling_llama.py. The same architecture serves SmolLM2, TinyLlama and Mistral (Jiang et al., "Mistral 7B", 2023,
// with its sliding window).

import ApusFormats
import ApusNN
import ApusTensor

extension ModelFamily {
    package static let llama = ModelFamily(
        architecture: "llama",
        modelTypes: ["llama", "mistral"],
        tensorNames: TensorNames(),
        ggufRotaryStyle: .interleaved,
        load: { configuration, weights in
            try weights.decoder(configuration, rotary: [configuration.llamaRotary(weights)]) { layer in
                try weights.llamaBlock(layer, configuration)
            }
        },
        configure: { configuration, reader in
            configuration.slidingWindow =
                try reader.integer(gguf: "attention.sliding_window", huggingFace: "sliding_window", in: 0...16_777_216)
                ?? 0
        },
        ggufExtras: { configuration in
            var extras = GGUFExtras()
            if let factors = configuration.llamaFactors { extras.vectors.append((factorName, factors)) }
            return extras
        }
    )

    /// The tensor with one factor per rotated pair.
    fileprivate static let factorName = "rope_freqs.weight"
}

extension ModelConfiguration {
    /// Llama 3's frequency scaling, which GGUF files carry as one factor per pair.
    fileprivate func llamaRotary(_ weights: WeightLoader) throws -> RotaryEmbedding {
        guard let factors = try weights.factorsIfPresent(ModelFamily.factorName, count: rotaryDimension / 2) else {
            return rotary
        }
        return RotaryEmbedding(
            dimension: rotaryDimension,
            base: rotaryBase,
            scaling: .factors(factors, attentionFactor: 1)
        )
    }

    /// What Llama 3 divides each frequency by; nil for models without its scaling.
    fileprivate var llamaFactors: [Float]? {
        guard case .llama3 = rotaryScaling else { return nil }
        let plain = RotaryEmbedding(dimension: rotaryDimension, base: rotaryBase)
        return zip(plain.inverseFrequencies, rotary.inverseFrequencies).map { Float($0 / $1) }
    }
}

extension WeightLoader {
    /// One layer: attention with rotary embeddings, then a SwiGLU MLP, each behind a norm.
    ///
    /// Also qwen2's layer, whose projections have biases.
    func llamaBlock(_ layer: Int, _ configuration: ModelConfiguration) throws -> DecoderBlock {
        DecoderBlock(
            attentionNorm: try norm("blk.\(layer).attn_norm", count: configuration.hiddenSize, configuration),
            attention: Attention(
                layer: layer,
                geometry: configuration.geometry(),
                projections: try separateProjections(layer: layer, configuration),
                rotaryStyle: configuration.rotaryStyle,
                window: configuration.slidingWindow,
                output: try attentionOutput(layer: layer, configuration)
            ),
            mlpNorm: try norm("blk.\(layer).ffn_norm", count: configuration.hiddenSize, configuration),
            mlp: try gatedMLP(layer: layer, configuration, activation: .silu)
        )
    }
}
