/// Small tokenizer.json texts for tests.
enum ToyTokenizer {
    /// The spelling of each byte in byte-level vocabularies.
    static let spelling: [String] = {
        var moved: UInt32 = 0x100
        return (0..<256).map { byte in
            let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
            let scalar = isPrintable ? UInt32(byte) : moved
            if !isPrintable { moved += 1 }
            return Unicode.Scalar(scalar).map { String(Character($0)) } ?? ""
        }
    }()

    /// A byte-level vocabulary of the 256 bytes, more tokens as JSON members, and the marker `<|end|>`.
    static func byteLevel(
        vocabulary: String = "",
        merges: String = "",
        added: String = #"{"id": 256, "content": "<|end|>", "special": true}"#,
        preTokenizer: String = #"{"type": "ByteLevel", "add_prefix_space": false}"#,
        normalizer: String = "null",
        postProcessor: String = "null"
    ) -> [UInt8] {
        let bytes = spelling.enumerated().map { id, text in
            let escaped = text == "\"" || text == "\\" ? "\\" + text : text
            return "\"\(escaped)\": \(id)"
        }
        let members = bytes.joined(separator: ", ") + (vocabulary.isEmpty ? "" : ", " + vocabulary)
        return Array(
            """
            {"added_tokens": [\(added)], "normalizer": \(normalizer), "pre_tokenizer": \(preTokenizer),
             "post_processor": \(postProcessor), "decoder": {"type": "ByteLevel"},
             "model": {"type": "BPE", "vocab": {\(members)}, "merges": [\(merges)]}}
            """.utf8
        )
    }
}
