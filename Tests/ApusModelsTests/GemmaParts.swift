import ApusModels
import ApusNN
import ApusTensor

/// Gemma 3 put together from parts that can be left out, which the family's own file does not allow.
struct GemmaParts {
    var hasQueryNorm = true
    var hasKeyNorm = true
    var hasAttentionPostNorm = true
    var hasMLPPostNorm = true
    var scalesEmbeddings = true
    var activation = GateActivation.gelu

    func load(_ configuration: ModelConfiguration, _ weights: WeightLoader) throws -> any LanguageModel {
        let local = RotaryEmbedding(dimension: configuration.rotaryDimension, base: configuration.localRotaryBase)
        return try weights.decoder(
            configuration,
            rotary: [configuration.rotary, local],
            embeddingScale: scalesEmbeddings ? Float(configuration.hiddenSize).squareRoot() : nil,
            normOffset: configuration.normOffset
        ) { layer in
            try block(layer, configuration, weights)
        }
    }

    private func block(_ layer: Int, _ configuration: ModelConfiguration, _ weights: WeightLoader) throws
        -> DecoderBlock
    {
        func norm(_ name: String, _ count: Int) throws -> RMSNorm {
            try weights.norm("blk.\(layer).\(name)", count: count, configuration, offset: configuration.normOffset)
        }
        let hiddenSize = configuration.hiddenSize
        let isGlobal = configuration.globalLayers[layer]
        let attentionPostNorm = try norm("post_attention_norm", hiddenSize)
        let mlpPostNorm = try norm("post_ffw_norm", hiddenSize)
        let queryNorm = try norm("attn_q_norm", configuration.headDimension)
        let keyNorm = try norm("attn_k_norm", configuration.headDimension)
        return DecoderBlock(
            attentionNorm: try norm("attn_norm", hiddenSize),
            attention: Attention(
                layer: layer,
                geometry: configuration.geometry(scale: configuration.attentionScale),
                projections: try weights.separateProjections(layer: layer, configuration),
                queryNorm: hasQueryNorm ? queryNorm : nil,
                keyNorm: hasKeyNorm ? keyNorm : nil,
                rotaryTable: isGlobal ? 0 : 1,
                rotaryStyle: configuration.rotaryStyle,
                window: isGlobal ? 0 : configuration.slidingWindow,
                output: try weights.attentionOutput(
                    layer: layer,
                    configuration,
                    postNorm: hasAttentionPostNorm ? attentionPostNorm : nil
                )
            ),
            mlpNorm: try norm("ffn_norm", hiddenSize),
            mlp: try weights.gatedMLP(
                layer: layer,
                configuration,
                activation: activation,
                postNorm: hasMLPPostNorm ? mlpPostNorm : nil
            )
        )
    }
}
