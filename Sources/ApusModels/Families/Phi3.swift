// Phi-3 and Phi-3.5 mini: Abdin et al., "Phi-3 Technical Report", 2024. Reference: transformers' modeling_phi3.py.
// Llama's layer with q, k, v in one matrix and gate, up in another; longer contexts by LongRoPE (Ding et al., 2024).

import ApusCore
import ApusFormats
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
        },
        ggufExtras: { $0.longRotary?.ggufExtras ?? GGUFExtras() }
    )
}

extension LongRotary {
    /// The tensors with one factor per rotated pair.
    fileprivate static func factorName(isLong: Bool) -> String { "rope_factors_\(isLong ? "long" : "short").weight" }

    fileprivate var ggufExtras: GGUFExtras {
        var extras = GGUFExtras()
        extras.fields = [
            ("rope.scaling.original_context_length", .uint32(UInt32(clamping: originalContextLength))),
            ("rope.scaling.attn_factor", .float32(Float(magnitude))),
        ]
        for (isLong, factors) in [(true, longFactors), (false, shortFactors)] {
            if let factors { extras.vectors.append((Self.factorName(isLong: isLong), factors)) }
        }
        return extras
    }
}

extension ModelConfiguration {
    /// LongRoPE's settings; `longRotary` picks among its factors by the context the model is loaded for.
    fileprivate mutating func readLongRotary(_ reader: ConfigurationReader) throws {
        let rotary = try reader.rotary()
        let original =
            try reader.integer(
                gguf: "rope.scaling.original_context_length",
                huggingFace: "original_max_position_embeddings",
                in: 2...16_777_216
            ) ?? contextLength
        let stretch = Double(contextLength) / Double(original)
        let magnitude =
            try reader.number(gguf: "rope.scaling.attn_factor", huggingFace: nil, in: 0.01...100)
            ?? rotary?.number(gguf: nil, huggingFace: "attention_factor", in: 0.01...100)
            ?? (stretch > 1 ? (1 + log(stretch) / log(Double(original))).squareRoot() : 1)
        longRotary = LongRotary(
            originalContextLength: original,
            magnitude: magnitude,
            shortFactors: try rotary.flatMap { try factors("short_factor", $0) },
            longFactors: try rotary.flatMap { try factors("long_factor", $0) }
        )
    }

    /// A list of one positive factor per rotated pair; nil where the configuration has none.
    private func factors(_ name: String, _ reader: ConfigurationReader) throws -> [Float]? {
        guard let factors = try reader.numbers(huggingFace: name) else { return nil }
        guard factors.count == rotaryDimension / 2 else {
            throw ApusError(
                .malformedFile,
                "\(reader.path): field \(name): expected \(rotaryDimension / 2) numbers, found \(factors.count)"
            )
        }
        if let wrong = factors.first(where: { !($0 > 0 && $0.isFinite) }) {
            throw ApusError(.malformedFile, "\(reader.path): field \(name): expected positive numbers, found \(wrong)")
        }
        return factors
    }

    /// The embedding with the factors for this context, which GGUF files carry as tensors.
    fileprivate func phi3Rotary(_ weights: WeightLoader) throws -> RotaryEmbedding {
        guard let long = longRotary else { return rotary }
        let isLong = contextLength > long.originalContextLength
        let name = LongRotary.factorName(isLong: isLong)
        let listed = isLong ? long.longFactors : long.shortFactors
        guard let factors = try listed ?? weights.factorsIfPresent(name, count: rotaryDimension / 2) else {
            // Either list needs the other.
            let hasOther =
                long.shortFactors != nil || long.longFactors != nil
                || weights.has(LongRotary.factorName(isLong: !isLong))
            if hasOther { try weights.require(name) }
            return rotary
        }
        return RotaryEmbedding(
            dimension: rotaryDimension,
            base: rotaryBase,
            scaling: .factors(factors, attentionFactor: long.magnitude)
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
