package import ApusNN
package import ApusTensor

/// The pieces most families put together the same way.
extension WeightLoader {
    package func norm(_ name: String, count: Int, _ configuration: ModelConfiguration, offset: Float = 0) throws
        -> RMSNorm
    {
        RMSNorm(weight: try vector("\(name).weight", count: count, offset: offset), epsilon: configuration.epsilon)
    }

    /// A matrix with its bias, where the file has one.
    package func part(_ name: String, outputs: Int, inputs: Int) throws -> FusedLinear.Part {
        FusedLinear.Part(
            try matrix("\(name).weight", outputs: outputs, inputs: inputs),
            bias: try vectorIfPresent("\(name).bias", count: outputs)
        )
    }

    /// q, k and v of a layer as three matrices.
    package func separateProjections(layer: Int, _ configuration: ModelConfiguration) throws -> FusedLinear {
        let inputs = configuration.hiddenSize
        return FusedLinear([
            try part("blk.\(layer).attn_q", outputs: configuration.queryWidth, inputs: inputs),
            try part("blk.\(layer).attn_k", outputs: configuration.keyValueWidth, inputs: inputs),
            try part("blk.\(layer).attn_v", outputs: configuration.keyValueWidth, inputs: inputs),
        ])
    }

    /// The output projection of a layer's attention.
    package func attentionOutput(
        layer: Int,
        _ configuration: ModelConfiguration,
        postNorm: RMSNorm? = nil
    ) throws -> OutputProjection {
        let part = try part(
            "blk.\(layer).attn_output",
            outputs: configuration.hiddenSize,
            inputs: configuration.queryWidth
        )
        return OutputProjection(FusedLinear([part]), postNorm: postNorm)
    }

    /// A gated MLP from gate and up as two matrices, and down.
    package func gatedMLP(
        layer: Int,
        _ configuration: ModelConfiguration,
        activation: GateActivation,
        postNorm: RMSNorm? = nil
    ) throws -> GatedMLP {
        let width = configuration.feedForwardSize
        let gateUp = FusedLinear([
            try part("blk.\(layer).ffn_gate", outputs: width, inputs: configuration.hiddenSize),
            try part("blk.\(layer).ffn_up", outputs: width, inputs: configuration.hiddenSize),
        ])
        let down = try part("blk.\(layer).ffn_down", outputs: configuration.hiddenSize, inputs: width)
        return GatedMLP(
            gateUp: gateUp,
            activation: activation,
            down: OutputProjection(FusedLinear([down]), postNorm: postNorm)
        )
    }

    /// The whole model around its blocks.
    package func decoder(
        _ configuration: ModelConfiguration,
        rotary: [RotaryEmbedding],
        embeddingScale: Float? = nil,
        normOffset: Float = 0,
        block: (Int) throws -> DecoderBlock
    ) throws -> Decoder {
        let hiddenSize = configuration.hiddenSize
        let (embedding, output) = try embeddingAndOutput(hiddenSize: hiddenSize, isTied: configuration.tiesEmbeddings)
        let blocks = try (0..<configuration.layerCount).map(block)
        let norm = try norm("output_norm", count: hiddenSize, configuration, offset: normOffset)
        return Decoder(
            shape: DecoderShape(
                vocabularySize: output.outputCount,
                hiddenSize: hiddenSize,
                contextLength: configuration.contextLength,
                keyValues: configuration.keyValues,
                queryHeadCount: configuration.queryHeadCount,
                feedForwardSize: configuration.feedForwardSize,
                inputs: inputs,
                rotary: rotary
            ),
            embedding: embedding,
            embeddingScale: embeddingScale,
            layers: blocks,
            norm: norm,
            output: FusedLinear(output),
            weights: arena
        )
    }
}
