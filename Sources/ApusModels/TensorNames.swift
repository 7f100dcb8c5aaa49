/// Tensor names: families speak GGUF's, and this maps them to those of Hugging Face checkpoints.
package struct TensorNames: Sendable {
    private let layerNames: [String: String]
    private let ggufLayerNames: [String: String]

    private static let globalNames = [
        "token_embd": "model.embed_tokens",
        "output_norm": "model.norm",
        "output": "lm_head",
    ]

    private static let commonLayerNames = [
        "attn_norm": "input_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_qkv": "self_attn.qkv_proj",
        "attn_q_norm": "self_attn.q_norm",
        "attn_k_norm": "self_attn.k_norm",
        "attn_output": "self_attn.o_proj",
        "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    ]

    /// The common names, with a family's own ones.
    package init(_ own: [String: String] = [:]) {
        layerNames = Self.commonLayerNames.merging(own) { $1 }
        ggufLayerNames = Dictionary(layerNames.map { ($1, $0) }) { first, _ in first }
    }

    /// The Hugging Face name of a GGUF tensor name such as `blk.3.attn_q.weight`.
    package func huggingFaceName(of name: String) -> String {
        let parts = name.split(separator: ".").map(String.init)
        if parts.count == 4, parts[0] == "blk", let own = layerNames[parts[2]] {
            return "model.layers.\(parts[1]).\(own).\(parts[3])"
        }
        if parts.count == 2, let own = Self.globalNames[parts[0]] { return "\(own).\(parts[1])" }
        return name
    }

    /// The GGUF name of a Hugging Face tensor name; nil for one that no model of the family has.
    package func ggufName(of name: String) -> String? {
        let parts = name.split(separator: ".")
        guard parts.count >= 2, let kind = parts.last else { return nil }
        let stem = parts.dropLast().joined(separator: ".")
        if let own = Self.globalNames.first(where: { $0.value == stem }) { return "\(own.key).\(kind)" }
        guard parts.count > 4, stem.hasPrefix("model.layers."), let layer = UInt16(parts[2]), "\(layer)" == parts[2],
            let own = ggufLayerNames[parts[3..<parts.count - 1].joined(separator: ".")]
        else { return nil }
        return "blk.\(layer).\(own).\(kind)"
    }
}
