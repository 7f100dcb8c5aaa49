// Phi-3 and Phi-3.5 mini: Abdin et al., "Phi-3 Technical Report", 2024. Reference: transformers' modeling_phi3.py.
// Llama's layer with q, k, v in one matrix and gate, up in another; longer contexts by LongRoPE (Ding et al., 2024).

import ApusCore
import ApusNN
import ApusTensor

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

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
            try configuration.readLongRotary(reader)
        }
    )
}

extension ModelConfiguration {
    /// LongRoPE's factors for contexts up to the original length, which is then the longest Apus offers: past it the
    /// model wants other factors, and keys already cached with the first ones would not match them.
    fileprivate mutating func readLongRotary(_ reader: ConfigurationReader) throws {
        let original =
            try reader.integer(
                gguf: "rope.scaling.original_context_length",
                huggingFace: "original_max_position_embeddings",
                in: 2...16_777_216
            ) ?? contextLength
        guard original < contextLength else { return }
        let stretch = Double(contextLength) / Double(original)
        longRotaryMagnitude =
            try reader.number(gguf: "rope.scaling.attn_factor", huggingFace: nil, in: 0.01...100)
            ?? (1 + log(stretch) / log(Double(original))).squareRoot()
        contextLength = original
        guard let factors = try reader.rotary()?.numbers(huggingFace: "short_factor") else { return }
        guard factors.count == rotaryDimension / 2 else {
            throw ApusError(
                .malformedFile,
                "\(reader.path): field short_factor: expected \(rotaryDimension / 2) numbers, found \(factors.count)"
            )
        }
        if let wrong = factors.first(where: { !($0 > 0 && $0.isFinite) }) {
            throw ApusError(
                .malformedFile,
                "\(reader.path): field short_factor: expected positive numbers, found \(wrong)"
            )
        }
        rotaryScaling = .factors(factors, attentionFactor: longRotaryMagnitude)
    }

    /// The factors, which GGUF files carry as a tensor.
    fileprivate func phi3Rotary(_ weights: WeightLoader) throws -> RotaryEmbedding {
        guard let factors = try weights.factorsIfPresent("rope_factors_short.weight", count: rotaryDimension / 2) else {
            return rotary
        }
        return RotaryEmbedding(
            dimension: rotaryDimension,
            base: rotaryBase,
            scaling: .factors(factors, attentionFactor: longRotaryMagnitude)
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
