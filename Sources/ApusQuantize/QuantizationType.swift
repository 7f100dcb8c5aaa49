package import ApusCore

/// What a file can be quantized to: one type for all matrices, or a mix that gives some of them more bits.
///
/// Names, numbers and mixes are llama.cpp's (`llama_ftype`, `llama_tensor_get_type`), so that equal names mean equal sizes; types
/// that llama.cpp lacks have the number of their elements' type.
package struct QuantizationType: Sendable, Hashable {
    /// The name in capitals: `Q4_K_M`.
    package let name: String
    /// The number under `general.file_type`.
    package let fileType: UInt32
    /// The type of all matrices that nothing else is said of.
    package let base: ElementType

    /// Every type there is, the smallest first.
    package static let all: [QuantizationType] = [
        .init(name: "Q2_K", fileType: 10, base: .q2K), .init(ours: .q3G128),
        .init(name: "Q3_K_S", fileType: 11, base: .q3K), .init(ours: .q3G64),
        .init(name: "Q3_K_M", fileType: 12, base: .q3K), .init(name: "Q3_K_L", fileType: 13, base: .q3K),
        .init(ours: .i4Row), .init(name: "IQ4_XS", fileType: 30, base: .iq4XS),
        .init(name: "IQ4_NL", fileType: 25, base: .iq4NL), .init(name: "Q4_0", fileType: 2, base: .q4_0),
        .init(name: "Q4_K_S", fileType: 14, base: .q4K), .init(name: "Q4_K_M", fileType: 15, base: .q4K),
        .init(name: "Q4_1", fileType: 3, base: .q4_1), .init(name: "Q5_0", fileType: 8, base: .q5_0),
        .init(name: "Q5_K_S", fileType: 16, base: .q5K), .init(name: "Q5_K_M", fileType: 17, base: .q5K),
        .init(name: "Q5_1", fileType: 9, base: .q5_1), .init(name: "Q6_K", fileType: 18, base: .q6K),
        .init(name: "Q8_0", fileType: 7, base: .q8_0), .init(name: "F16", fileType: 1, base: .f16),
        .init(name: "BF16", fileType: 32, base: .bf16), .init(name: "F32", fileType: 0, base: .f32),
    ]

    /// Other names for some of them.
    private static let aliases = ["Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"]

    private init(name: String, fileType: UInt32, base: ElementType) {
        self.name = name
        self.fileType = fileType
        self.base = base
    }

    /// A type that llama.cpp lacks.
    private init(ours type: ElementType) {
        self.init(name: type.description, fileType: type.rawValue, base: type)
    }

    /// The type with a name, in any case; nil if there is none.
    package init?(name: String) {
        let upper = name.uppercased()
        let wanted = Self.aliases[upper] ?? upper
        guard let match = Self.all.first(where: { $0.name == wanted }) else { return nil }
        self = match
    }

    /// What the mixes go by.
    package struct Model: Sendable {
        package let layerCount: Int
        /// Query heads that share a head of keys and values.
        package let queryHeadsPerKeyValueHead: Int
        /// Whether the file has an output matrix besides the embedding.
        package let hasOutput: Bool
        /// Whether an importance matrix weighs the errors.
        package let hasImportance: Bool

        /// - Parameter layerCount: as a file claims it; one beyond all models is cut to what still counts.
        package init(layerCount: Int, queryHeadsPerKeyValueHead: Int, hasOutput: Bool, hasImportance: Bool = false) {
            self.layerCount = min(max(0, layerCount), 1 << 16)
            self.queryHeadsPerKeyValueHead = queryHeadsPerKeyValueHead
            self.hasOutput = hasOutput
            self.hasImportance = hasImportance
        }
    }

    /// The type of a tensor; nil for those that stay as they are.
    /// - Parameters:
    ///   - name: the GGUF name.
    ///   - shape: innermost extent first.
    package func type(of name: String, shape: [Int], in model: Model) -> ElementType? {
        guard shape.count >= 2, name.hasSuffix("weight"), !name.hasSuffix("norm.weight") else { return nil }
        guard base.isQuantized else { return base }
        let parts = name.split(separator: ".")
        let isLogits = parts[0] == "output" || parts[0] == "token_embd" && !model.hasOutput
        if isLogits {
            if shape[0] % 256 != 0 { return fitting(.q8_0, rowLength: shape[0]) }
            return base == .q8_0 ? .q8_0 : .q6K
        }
        guard parts.count == 4, parts[0] == "blk", let layer = Int(parts[1]), (0..<model.layerCount).contains(layer)
        else {
            return fitting(base, rowLength: shape[0])
        }
        return fitting(layerType(of: parts[2], layer: layer, in: model) ?? base, rowLength: shape[0])
    }

    /// Where a mix takes another type than its base.
    private func layerType(of kind: Substring, layer: Int, in model: Model) -> ElementType? {
        let layers = model.layerCount
        let isFirstEighth = layer < layers / 8
        let isFavoured = isFirstEighth || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2
        let isShared = model.queryHeadsPerKeyValueHead >= 4
        switch (name, kind) {
        case ("Q2_K", "attn_v"): return isShared ? .q4K : .q3K
        case ("Q2_K", "ffn_down"), ("Q2_K", "attn_output"): return .q3K
        case ("Q3_K_M", "attn_v"): return layer < 2 ? .q5K : .q4K
        case ("Q3_K_M", "ffn_down"): return layer < layers / 16 ? .q5K : .q4K
        case ("Q3_K_M", "attn_output"), ("Q3_K_M", "attn_qkv"), ("Q3_K_L", "attn_qkv"): return .q4K
        case ("Q3_K_L", "attn_v"), ("Q3_K_L", "ffn_down"), ("Q3_K_L", "attn_output"): return .q5K
        case ("Q4_K_S", "attn_v"): return layer < 4 ? .q5K : nil
        case ("Q4_K_S", "ffn_down"): return isFirstEighth ? .q5K : nil
        case ("Q4_K_M", "attn_v"), ("Q4_K_M", "ffn_down"), ("Q5_K_M", "attn_v"), ("Q5_K_M", "ffn_down"):
            return isFavoured ? .q6K : nil
        case ("Q4_K_M", "attn_qkv"): return .q5K
        case ("Q5_K_M", "attn_qkv"): return .q6K
        case ("IQ4_NL", "attn_v"), ("IQ4_XS", "attn_v"): return isShared ? .q5K : nil
        case ("IQ4_NL", "ffn_down"), ("IQ4_XS", "ffn_down"): return isFirstEighth && !model.hasImportance ? .q5K : nil
        case ("Q4_0", "ffn_down"): return isFirstEighth && model.hasImportance ? .q4_1 : nil
        case ("Q5_0", "ffn_down"): return isFirstEighth && model.hasImportance ? .q5_1 : nil
        default: return nil
        }
    }

    /// The type, or what stands in for it where rows are no whole number of its blocks.
    private func fitting(_ type: ElementType, rowLength: Int) -> ElementType {
        type.fitting(rowLength: rowLength) ?? .f16
    }
}
