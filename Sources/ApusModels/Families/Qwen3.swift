// Qwen3: Yang et al., "Qwen3 Technical Report", 2025. Reference: transformers' modeling_qwen3.py.
// Queries and keys are normalized per head before the rotation; no biases.

import ApusNN
import ApusTensor

extension ModelFamily {
    package static let qwen3 = ModelFamily(
        architecture: "qwen3",
        modelTypes: ["qwen3"],
        tensorNames: TensorNames(),
        load: { configuration, weights in
            try weights.decoder(configuration, rotary: [configuration.rotary]) { layer in
                try weights.qwen3Block(layer, configuration)
            }
        },
        configure: { _, _ in }
    )
}

extension WeightLoader {
    fileprivate func qwen3Block(_ layer: Int, _ configuration: ModelConfiguration) throws -> DecoderBlock {
        DecoderBlock(
            attentionNorm: try norm("blk.\(layer).attn_norm", count: configuration.hiddenSize, configuration),
            attention: Attention(
                layer: layer,
                geometry: configuration.geometry(),
                projections: try separateProjections(layer: layer, configuration),
                queryNorm: try norm("blk.\(layer).attn_q_norm", count: configuration.headDimension, configuration),
                keyNorm: try norm("blk.\(layer).attn_k_norm", count: configuration.headDimension, configuration),
                rotaryStyle: configuration.rotaryStyle,
                output: try attentionOutput(layer: layer, configuration)
            ),
            mlpNorm: try norm("blk.\(layer).ffn_norm", count: configuration.hiddenSize, configuration),
            mlp: try gatedMLP(layer: layer, configuration, activation: .silu)
        )
    }
}
