// Qwen2 and Qwen2.5: Yang et al., "Qwen2 Technical Report", 2024. Reference: transformers' modeling_qwen2.py.
// Llama's layer with biases on q, k and v.

import ApusCore
import ApusFormats
import ApusNN

extension ModelFamily {
    package static let qwen2 = ModelFamily(
        architecture: "qwen2",
        modelTypes: ["qwen2"],
        tensorNames: TensorNames(),
        load: { configuration, weights in
            try weights.decoder(configuration, rotary: [configuration.rotary]) { layer in
                for name in ["attn_q", "attn_k", "attn_v"] { try weights.require("blk.\(layer).\(name).bias") }
                return try weights.llamaBlock(layer, configuration)
            }
        },
        configure: { configuration, reader in
            guard case .huggingFace(let json, let path) = reader.source,
                try json.memberIfPresent("use_sliding_window")?.bool() == true
            else { return }
            throw ApusError(.unsupported, "\(path): field use_sliding_window: expected false, found true")
        }
    )
}
