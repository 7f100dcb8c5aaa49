import Apus
import ApusCore
import ApusTokenizers

/// The tokens of prompts.
extension ServedModel {
    /// A prompt as the engine takes it.
    struct PreparedPrompt: Sendable {
        var tokens: [Int32]
        /// Whether the model is already thinking where its answer begins.
        var beginsThinking = false
    }

    /// Prepares a prompt.
    /// - Throws: `ServiceError` for what the model cannot do, `ApusError` for what its template refuses.
    func prepare(_ prompt: InferenceRequest.Prompt) throws -> PreparedPrompt {
        switch prompt {
        case .conversation(let conversation):
            let text = try text(of: conversation)
            let tokens = model.tokenizer.encode(text, parseSpecial: true, addSpecial: false)
            return PreparedPrompt(tokens: tokens, beginsThinking: text.endsThinking)
        case .text(let text): return PreparedPrompt(tokens: model.tokenizer.encode(text))
        case .tokens(let tokens): return PreparedPrompt(tokens: tokens)
        case .infill(let prefix, let suffix):
            return PreparedPrompt(tokens: try infillTokens(prefix: prefix, suffix: suffix))
        }
    }

    /// The text that a conversation is for this model.
    func text(of conversation: Conversation) throws -> String {
        try model.promptText(
            conversation.messages,
            tools: conversation.tools,
            addGenerationPrompt: conversation.addsGenerationPrompt,
            extra: conversation.variables
        )
    }

    private func infillTokens(prefix: String, suffix: String) throws -> [Int32] {
        guard let marks = model.infillMarks else {
            throw ServiceError(.unsupported, "suffix: \(id) has no tokens for infilling", field: "suffix")
        }
        let tokenizer = model.tokenizer
        func plain(_ text: String) -> [Int32] { tokenizer.encode(text, parseSpecial: false, addSpecial: false) }
        let start = tokenizer.addsBOS ? tokenizer.bos.map { [$0] } ?? [] : []
        return start + [marks.prefix] + plain(prefix) + [marks.suffix] + plain(suffix) + [marks.middle]
    }

}

extension Model {
    /// Whether the model was trained to fill gaps.
    var fillsGaps: Bool { infillMarks != nil }

    /// The marker tokens of the families that fill gaps, prefix first (Bavarian et al., "Efficient Training of Language
    /// Models to Fill in the Middle", the PSM order).
    fileprivate var infillMarks: (prefix: Int32, suffix: Int32, middle: Int32)? {
        let spellings = [
            ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"), ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
            ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
        ]
        for spelling in spellings {
            if let prefix = tokenizer.id(of: spelling.0), let suffix = tokenizer.id(of: spelling.1),
                let middle = tokenizer.id(of: spelling.2)
            {
                return (prefix, suffix, middle)
            }
        }
        return nil
    }
}

extension String {
    /// Whether nothing but white space follows a last `<think>`.
    fileprivate var endsThinking: Bool {
        let end = utf8.reversed().drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
        return end.starts(with: "<think>".utf8.reversed())
    }
}
