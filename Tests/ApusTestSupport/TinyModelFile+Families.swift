package import ApusCore

extension TinyModelFile {
    /// The families, by their GGUF names.
    package static let architectures = ["llama", "qwen2", "qwen3", "gemma3", "phi3"]

    /// Tokens in the vocabulary.
    package static let vocabularySize = 40

    /// A model of one layer that loads and runs, its weights all the same small number.
    /// - Parameters:
    ///   - architecture: the family.
    ///   - type: how matrices are stored.
    ///   - width: the width of everything, a multiple of the type's block length.
    package init(_ architecture: String, type: ElementType = .q8_0, width: Int = 32) {
        let headDimension = width / 2
        func setting(_ key: String, _ value: Int) -> (key: String, value: Value) {
            ("\(architecture).\(key)", .uint32(UInt32(value)))
        }
        fields = [
            ("general.architecture", .string(architecture)),
            setting("block_count", 1),
            setting("embedding_length", width),
            setting("feed_forward_length", width),
            setting("attention.head_count", 2),
            setting("attention.head_count_kv", 1),
            setting("attention.key_length", headDimension),
            setting("context_length", 128),
            ("\(architecture).attention.layer_norm_rms_epsilon", .float32(1e-6)),
            ("\(architecture).rope.freq_base", .float32(10_000)),
        ]
        tensors = []
        fields += Self.bytePairFields
        addTensors(architecture, type, width: width, headDimension: headDimension)
    }

    private mutating func addTensors(_ architecture: String, _ type: ElementType, width: Int, headDimension: Int) {
        func matrix(_ name: String, _ outputs: Int) {
            let byteCount = (type.byteCount(elementCount: width) ?? 0) * outputs
            let bytes = [UInt8](repeating: 0x11, count: byteCount)
            let shape = [UInt64(width), UInt64(outputs)]
            tensors.append(Tensor(name: name, type: type.rawValue, shape: shape, bytes: bytes))
        }
        func vector(_ name: String, _ count: Int) {
            let one = Float(1).bitPattern
            let bytes = (0..<count).flatMap { _ in (0..<4).map { UInt8(truncatingIfNeeded: one >> (8 * $0)) } }
            tensors.append(Tensor(name: name, type: ElementType.f32.rawValue, shape: [UInt64(count)], bytes: bytes))
        }
        matrix("token_embd.weight", Self.vocabularySize)
        vector("output_norm.weight", width)
        if architecture != "gemma3" { matrix("output.weight", Self.vocabularySize) }
        vector("blk.0.attn_norm.weight", width)
        vector("blk.0.ffn_norm.weight", width)
        if architecture == "phi3" {
            matrix("blk.0.attn_qkv.weight", 2 * width)
            matrix("blk.0.ffn_up.weight", 2 * width)
        } else {
            for (name, outputs) in [("q", width), ("k", headDimension), ("v", headDimension)] {
                matrix("blk.0.attn_\(name).weight", outputs)
                if architecture == "qwen2" { vector("blk.0.attn_\(name).bias", outputs) }
            }
            matrix("blk.0.ffn_gate.weight", width)
            matrix("blk.0.ffn_up.weight", width)
        }
        matrix("blk.0.attn_output.weight", width)
        matrix("blk.0.ffn_down.weight", width)
        if architecture == "qwen3" || architecture == "gemma3" {
            vector("blk.0.attn_q_norm.weight", headDimension)
            vector("blk.0.attn_k_norm.weight", headDimension)
        }
        if architecture == "gemma3" {
            vector("blk.0.post_attention_norm.weight", width)
            vector("blk.0.post_ffw_norm.weight", width)
        }
    }

    /// A byte-level vocabulary: an end marker, 37 letters and signs, and two merges.
    private static var bytePairFields: [(key: String, value: Value)] {
        let signs = Array("abcdefghijklmnopqrstuvwxyz0123456789.".utf8).map { [$0] }
        let tokens = [Array("<|endoftext|>".utf8)] + signs + [Array("ab".utf8), Array("abc".utf8)]
        return [
            ("tokenizer.ggml.model", .string("gpt2")),
            ("tokenizer.ggml.pre", .string("gpt-2")),
            ("tokenizer.ggml.tokens", .strings(tokens)),
            ("tokenizer.ggml.token_type", .integers([3] + Array(repeating: 1, count: tokens.count - 1))),
            ("tokenizer.ggml.merges", .strings([Array("a b".utf8), Array("ab c".utf8)])),
            ("tokenizer.ggml.bos_token_id", .uint32(0)),
            ("tokenizer.ggml.eos_token_id", .uint32(0)),
        ]
    }

    /// The same model with a SentencePiece vocabulary: three markers, six byte tokens, letters and two longer pieces.
    package func withSentencePieces() -> TinyModelFile {
        var file = self
        let letters = "abcdefghijklmnopqrstuvwxyz012".map { "\($0)" } + ["ab", "abc"]
        let texts = ["<unk>", "<s>", "</s>"] + (0..<6).map { "<0x0\($0)>" } + letters
        let tokens = texts.map { Array($0.utf8) }
        let kinds: [Int32] = [2, 3, 3] + Array(repeating: 6, count: 6) + Array(repeating: 1, count: letters.count)
        file.fields.removeAll { $0.key.hasPrefix("tokenizer.") }
        file.fields += [
            ("tokenizer.ggml.model", .string("llama")),
            ("tokenizer.ggml.tokens", .strings(tokens)),
            ("tokenizer.ggml.scores", .floats(tokens.indices.map { -Float($0) })),
            ("tokenizer.ggml.token_type", .integers(kinds)),
            ("tokenizer.ggml.bos_token_id", .uint32(1)),
            ("tokenizer.ggml.eos_token_id", .uint32(2)),
        ]
        return file
    }
}
