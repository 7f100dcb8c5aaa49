import ApusCore
import ApusFormats
package import ApusNN
package import ApusTensor

/// The settings all families share, read from a file; a family changes what is its own.
package struct ModelConfiguration: Sendable {
    package var layerCount: Int
    package var hiddenSize: Int
    package var feedForwardSize: Int
    package var queryHeadCount: Int
    package var keyValueHeadCount: Int
    package var headDimension: Int
    package var contextLength: Int
    package var epsilon: Float
    /// Rotated dimensions of a head.
    package var rotaryDimension: Int
    package var rotaryBase: Double
    package var rotaryScaling: RotaryEmbedding.Scaling
    package var rotaryStyle: RotaryStyle
    /// 0, or how many of the last positions a row sees.
    package var slidingWindow: Int
    /// The rotary base of sliding-window layers, where it differs (Gemma 3).
    package var localRotaryBase = 10_000.0
    /// For each layer whether it sees the whole context (Gemma 3).
    package var globalLayers: [Bool] = []
    /// Rotary factors that depend on the context the model is loaded for (Phi-3).
    package var longRotary: LongRotary?
    /// What is added to the weights of norms (Gemma's checkpoints store weight - 1).
    package var normOffset: Float = 0
    /// What scores are multiplied by, where it is not 1 / sqrt(head dimension).
    package var attentionScale: Float?
    /// Hugging Face files may say that the output layer shares the embedding's weights.
    package var tiesEmbeddings: Bool

    /// Reads the shared settings.
    /// - Throws: `ApusError` naming file, field, expected and found value.
    package init(_ reader: ConfigurationReader) throws {
        layerCount = try reader.requiredInteger(gguf: "block_count", huggingFace: "num_hidden_layers", in: 1...1024)
        hiddenSize = try reader.requiredInteger(gguf: "embedding_length", huggingFace: "hidden_size", in: 1...65_536)
        feedForwardSize = try reader.requiredInteger(
            gguf: "feed_forward_length",
            huggingFace: "intermediate_size",
            in: 1...1_048_576
        )
        queryHeadCount = try reader.requiredInteger(
            gguf: "attention.head_count",
            huggingFace: "num_attention_heads",
            in: 1...1024
        )
        keyValueHeadCount =
            try reader.integer(gguf: "attention.head_count_kv", huggingFace: "num_key_value_heads", in: 1...1024)
            ?? queryHeadCount
        headDimension =
            try reader.integer(gguf: "attention.key_length", huggingFace: "head_dim", in: 1...4096)
            ?? hiddenSize / queryHeadCount
        contextLength = try reader.requiredInteger(
            gguf: "context_length",
            huggingFace: "max_position_embeddings",
            in: 2...16_777_216
        )
        epsilon = Float(
            try reader.number(gguf: "attention.layer_norm_rms_epsilon", huggingFace: "rms_norm_eps", in: 0...1) ?? 1e-5
        )
        rotaryDimension = headDimension
        rotaryBase =
            try reader.rotary()?.number(gguf: nil, huggingFace: "rope_theta", in: 1...1e12)
            ?? reader.number(gguf: "rope.freq_base", huggingFace: "rope_theta", in: 1...1e12) ?? 10_000
        rotaryScaling = try RotaryEmbedding.Scaling(reader)
        rotaryStyle = .halves
        slidingWindow = 0
        tiesEmbeddings = false
        try readRotaryDimension(reader)
        if case .huggingFace(let json, _) = reader.source {
            tiesEmbeddings = try json.memberIfPresent("tie_word_embeddings")?.bool() ?? false
        }
        try check(reader)
    }

    private mutating func readRotaryDimension(_ reader: ConfigurationReader) throws {
        if let dimension = try reader.integer(gguf: "rope.dimension_count", huggingFace: nil, in: 2...4096) {
            rotaryDimension = dimension
        }
        let share =
            try reader.number(gguf: nil, huggingFace: "partial_rotary_factor", in: 0.01...1)
            ?? reader.rotary()?.number(gguf: nil, huggingFace: "partial_rotary_factor", in: 0.01...1)
        if let share {
            rotaryDimension = Int(Double(headDimension) * share)
        }
    }

    private func check(_ reader: ConfigurationReader) throws {
        guard queryHeadCount % keyValueHeadCount == 0 else {
            throw ApusError(
                .malformedFile,
                "\(reader.path): \(queryHeadCount) query heads are not a multiple of \(keyValueHeadCount) key-value heads"
            )
        }
        guard headDimension % 8 == 0, (8...256).contains(headDimension) else {
            throw ApusError(
                .unsupported,
                "\(reader.path): head dimension: expected a multiple of 8 up to 256, found \(headDimension)"
            )
        }
        guard rotaryDimension >= 2, rotaryDimension % 2 == 0, rotaryDimension <= headDimension else {
            throw ApusError(
                .malformedFile,
                "\(reader.path): rotary dimension: expected an even number of 2 to \(headDimension), found \(rotaryDimension)"
            )
        }
    }

    /// Head counts and the scale of scores, 1 / sqrt(head dimension) unless a family says otherwise.
    package func geometry(scale: Float? = nil) -> Attention.Geometry {
        Attention.Geometry(
            queryHeadCount: queryHeadCount,
            keyValueHeadCount: keyValueHeadCount,
            headDimension: headDimension,
            scale: scale
        )
    }

    package var queryWidth: Int { queryHeadCount * headDimension }
    package var keyValueWidth: Int { keyValueHeadCount * headDimension }

    /// The shape of the KV cache.
    package var keyValues: KVShape {
        KVShape(layerCount: layerCount, headCount: keyValueHeadCount, headDimension: headDimension)
    }

    /// The rotary embedding with the shared base and scaling.
    package var rotary: RotaryEmbedding {
        RotaryEmbedding(dimension: rotaryDimension, base: rotaryBase, scaling: rotaryScaling)
    }
}

/// LongRoPE (Ding et al., 2024): one list of factors for contexts up to the one first trained for, another beyond.
package struct LongRotary: Sendable {
    package var originalContextLength: Int
    /// What sines and cosines are multiplied by, with either list.
    package var magnitude: Double
    /// One per rotated pair; nil where the file has them as a tensor, or not at all.
    package var shortFactors: [Float]?
    package var longFactors: [Float]?
}

extension ModelConfiguration {
    /// The configuration of the model loaded for contexts of up to `length` tokens.
    ///
    /// LongRoPE's lists don't mix: keys cached with one do not match queries turned by the other. So the whole model
    /// takes the short factors, and no context beyond the original one, or the long factors from the first position.
    package func limited(toContext length: Int) -> ModelConfiguration {
        guard let longRotary, length <= longRotary.originalContextLength else { return self }
        var configuration = self
        configuration.contextLength = min(contextLength, longRotary.originalContextLength)
        return configuration
    }
}
