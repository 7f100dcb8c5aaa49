/// The tokens with a role, and which of them frame a text.
package struct SpecialTokens: Sendable {
    package var bos: Int32?
    package var eos: Int32?
    package var eot: Int32?
    package var eom: Int32?
    package var unknown: Int32?
    /// Every token that ends a generation.
    package var endOfGeneration: Set<Int32> = []
    package var addsBOS = false
    package var addsEOS = false
    /// What special tokens put before a text, and after it.
    package var prefix: [Int32] = []
    package var suffix: [Int32] = []

    package init() {}

    /// Texts of tokens that end a turn, first to last preferred as `eot`.
    private static let turnEnds = [
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<EOT>", "_<EOT>",
        "[EOT]", "<｜end▁of▁sentence｜>", "<end_of_utterance>",
    ]
    /// Further texts that end a generation.
    private static let otherEnds = [
        "<|eom_id|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<turn|>", "<|tool_response>", "[e~[",
        "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "<|repo_name|>", "<|fim_repo|>", "<fim-repo>", "<REPO>",
        "<reponame>", "<|file_sep|>",
    ]
    /// Texts that end a generation only if the file calls them control tokens: HTML and prose use them too.
    private static let endsIfControl = ["</s>", "<eos>", "[EOS]"]

    /// Adds what well-known texts say about a vocabulary, as llama.cpp does: most files name `eos` only.
    /// - Parameter mark: called for each token found to be a marker, whatever the file calls it.
    mutating func deriveEnds(from vocabulary: Vocabulary, mark: (Int32) -> Void) {
        func find(_ text: String) -> Int32? { vocabulary.id(of: Array(text.utf8)) }
        for text in Self.turnEnds {
            guard let id = find(text) else { continue }
            if eot == nil { eot = id }
            endOfGeneration.insert(id)
            mark(id)
        }
        for text in Self.otherEnds {
            guard let id = find(text) else { continue }
            endOfGeneration.insert(id)
            mark(id)
        }
        for text in Self.endsIfControl {
            if let id = find(text), vocabulary.kind(of: id) == .control { endOfGeneration.insert(id) }
        }
        eom = eom ?? find("<|eom_id|>")
        for id in [eos, eot, eom] {
            if let id { endOfGeneration.insert(id) }
        }
        // In the harmony format `<|end|>` separates messages of one reply.
        let isHarmony = find("<|return|>") != nil && find("<|call|>") != nil
        let isSolar = find("<|flush|>") != nil && find("<|calls|>") != nil
        if isHarmony || isSolar, let end = find("<|end|>"), end != eos { endOfGeneration.remove(end) }
    }
}
