// Phi-3 and Phi-3.5 mini: Abdin et al., "Phi-3 Technical Report", 2024. Reference: transformers' modeling_phi3.py.
// Llama's layer with q, k, v in one matrix and gate, up in another; longer contexts by LongRoPE (Ding et al., 2024).

import ApusCore
import ApusFormats
import ApusNN
import ApusTensor

extension ModelFamily {
    package static let phi3 = ModelFamily(
        architecture: "phi3",
        modelTypes: ["phi3"],
        tensorNames: TensorNames(["ffn_up": "mlp.gate_up_proj"]),
        load: { configuration, weights in
            try weights.decoder(configuration, rotary: [configuration.phi3Rotary(weights)]) { layer in
                try weights.phi3Block(layer, configuration)
            }
        },
        configure: { configuration, reader in
            configuration.slidingWindow =
                try reader.integer(gguf: "attention.sliding_window", huggingFace: "sliding_window", in: 0...16_777_216)
                ?? 0
            if case .huggingFace(let json, let path) = reader.source,
                let scaling = try json.memberIfPresent("rope_scaling"), !scaling.isNull
            {
                throw ApusError(.unsupported, "\(path): field rope_scaling: LongRoPE runs from GGUF files only so far")
            }
        }
    )
}

extension ModelConfiguration {
    /// LongRoPE's factors for contexts past the original length, where the file has them.
    fileprivate func phi3Rotary(_ weights: WeightLoader) throws -> RotaryEmbedding {
        guard let factors = try weights.valuesIfPresent("rope_factors_short.weight", count: rotaryDimension / 2) else {
            return rotary
        }
        return RotaryEmbedding(
            dimension: rotaryDimension,
            base: rotaryBase,
            scaling: .factors(factors, attentionFactor: 1)
        )
    }
}

extension WeightLoader {
    fileprivate func phi3Block(_ layer: Int, _ configuration: ModelConfiguration) throws -> DecoderBlock {
        let hiddenSize = configuration.hiddenSize
        let width = configuration.feedForwardSize
        let projectionWidth = configuration.queryWidth + 2 * configuration.keyValueWidth
        let down = try part("blk.\(layer).ffn_down", outputs: hiddenSize, inputs: width)
        return DecoderBlock(
            attentionNorm: try norm("blk.\(layer).attn_norm", count: hiddenSize, configuration),
            attention: Attention(
                layer: layer,
                geometry: configuration.geometry(),
                projections: FusedLinear([
                    try part("blk.\(layer).attn_qkv", outputs: projectionWidth, inputs: hiddenSize)
                ]),
                rotaryStyle: configuration.rotaryStyle,
                window: configuration.slidingWindow,
                output: try attentionOutput(layer: layer, configuration)
            ),
            mlpNorm: try norm("blk.\(layer).ffn_norm", count: hiddenSize, configuration),
            mlp: GatedMLP(
                gateUp: FusedLinear([try part("blk.\(layer).ffn_up", outputs: 2 * width, inputs: hiddenSize)]),
                activation: .silu,
                down: OutputProjection(FusedLinear([down]))
            )
        )
    }
}
