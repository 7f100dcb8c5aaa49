import ApusFormats
package import ApusModels

/// A small random model of a family, with rows that every element type can hold (multiples of 256).
package struct SyntheticModel: Sendable, CustomStringConvertible {
    package let description: String
    private let modelType: String
    private let headDimension: Int
    private let headCount: Int
    private let kvHeadCount: Int
    private let settings: String
    private let hasBiases: Bool
    private let hasHeadNorms: Bool
    private let hasPostNorms: Bool
    private let isTied: Bool

    private static let hiddenSize = 256
    private static let feedForwardSize = 512
    /// Tokens in the vocabulary: no multiple of a tile.
    package static let vocabularySize = 101
    private static let layerCount = 2

    /// One of every family, between them with every feature.
    package static let all = [
        SyntheticModel("llama", head: 64, heads: 4, kvHeads: 2),
        SyntheticModel("mistral", head: 64, heads: 4, kvHeads: 1, settings: "\"sliding_window\":70,"),
        SyntheticModel("qwen2", head: 64, heads: 4, kvHeads: 2, hasBiases: true, isTied: true),
        SyntheticModel("qwen3", head: 128, heads: 4, kvHeads: 2, hasHeadNorms: true),
        SyntheticModel(
            "gemma3_text",
            head: 256,
            heads: 2,
            kvHeads: 1,
            settings: "\"sliding_window\":20,\"layer_types\":[\"sliding_attention\",\"full_attention\"],",
            hasHeadNorms: true,
            hasPostNorms: true,
            isTied: true
        ),
        SyntheticModel("phi3", head: 96, heads: 8, kvHeads: 4),
    ]

    private init(
        _ modelType: String,
        head: Int,
        heads: Int,
        kvHeads: Int,
        settings: String = "",
        hasBiases: Bool = false,
        hasHeadNorms: Bool = false,
        hasPostNorms: Bool = false,
        isTied: Bool = false
    ) {
        description = modelType
        self.modelType = modelType
        headDimension = head
        headCount = heads
        kvHeadCount = kvHeads
        self.settings = settings
        self.hasBiases = hasBiases
        self.hasHeadNorms = hasHeadNorms
        self.hasPostNorms = hasPostNorms
        self.isTied = isTied
    }

    /// Opens the model, written to a temporary folder; once loaded, the mapped files stay.
    package func source() throws -> ModelSource {
        let folder = try TemporaryFolder()
        try folder.write(Array(configuration.utf8), to: "config.json")
        try folder.write(SafetensorsWriter.bytes(tensors), to: "model.safetensors")
        return try ModelSource(ModelFolder(path: folder.path))
    }

    /// A text of the given length, different for each seed.
    package static func tokens(_ count: Int, seed: UInt64 = 1) -> [Int32] {
        var random = SmallRandom(seed: seed)
        return (0..<count).map { _ in Int32(random.next() % UInt64(vocabularySize)) }
    }

    private var configuration: String {
        """
        {"model_type":"\(modelType)","hidden_size":\(Self.hiddenSize),"intermediate_size":\(Self.feedForwardSize),
        "num_hidden_layers":\(Self.layerCount),"num_attention_heads":\(headCount),"num_key_value_heads":\(kvHeadCount),
        "head_dim":\(headDimension),"max_position_embeddings":4096,"rms_norm_eps":1e-6,"rope_theta":10000.0,
        \(settings)"tie_word_embeddings":\(isTied),"vocab_size":\(Self.vocabularySize)}
        """
    }

    private var tensors: [(name: String, shape: [Int], values: [Float])] {
        var random = SmallRandom(seed: 7)
        return shapes.map { name, shape in
            let scale = shape.count == 1 ? 0.5 : (3 / Float(shape[1])).squareRoot()
            let values = (0..<shape.reduce(1, *)).map { _ in random.float() * scale }
            // Norms lie around 1, or around 0 where 1 is added to them.
            let center: Float = name.contains("norm") && modelType != "gemma3_text" ? 1 : 0
            return (name, shape, center == 0 ? values : values.map { $0 + center })
        }
    }

    private var shapes: [(String, [Int])] {
        let hidden = Self.hiddenSize
        var shapes = [("model.embed_tokens.weight", [Self.vocabularySize, hidden]), ("model.norm.weight", [hidden])]
        if !isTied { shapes.append(("lm_head.weight", [Self.vocabularySize, hidden])) }
        for layer in 0..<Self.layerCount {
            shapes += layerShapes.map { ("model.layers.\(layer).\($0)", $1) }
        }
        return shapes
    }

    private var layerShapes: [(String, [Int])] {
        let (hidden, width) = (Self.hiddenSize, Self.feedForwardSize)
        let (query, keyValue) = (headCount * headDimension, kvHeadCount * headDimension)
        var shapes: [(String, [Int])] = [
            ("input_layernorm.weight", [hidden]),
            ("post_attention_layernorm.weight", [hidden]),
            ("self_attn.o_proj.weight", [hidden, query]),
            ("mlp.down_proj.weight", [hidden, width]),
        ]
        if modelType == "phi3" {
            shapes.append(("self_attn.qkv_proj.weight", [query + 2 * keyValue, hidden]))
            shapes.append(("mlp.gate_up_proj.weight", [2 * width, hidden]))
        } else {
            for (name, outputs) in [("q", query), ("k", keyValue), ("v", keyValue)] {
                shapes.append(("self_attn.\(name)_proj.weight", [outputs, hidden]))
                if hasBiases { shapes.append(("self_attn.\(name)_proj.bias", [outputs])) }
            }
            shapes += ["gate", "up"].map { ("mlp.\($0)_proj.weight", [width, hidden]) }
        }
        if hasHeadNorms { shapes += ["q", "k"].map { ("self_attn.\($0)_norm.weight", [headDimension]) } }
        if hasPostNorms {
            shapes += ["pre", "post"].map { ("\($0)_feedforward_layernorm.weight", [hidden]) }
        }
        return shapes
    }
}

/// SplitMix64 (Steele et al., "Fast Splittable Pseudorandom Number Generators"): the same numbers on every machine.
package struct SmallRandom: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    /// -1 to 1.
    package mutating func float() -> Float { Float(Int64(bitPattern: next()) >> 40) / Float(1 << 23) }
}
