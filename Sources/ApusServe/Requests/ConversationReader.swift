import Apus
import ApusChat
import ApusTokenizers

/// Reads one answer to a conversation as it comes: thoughts, text and tool calls.
struct ConversationReader: Sendable {
    private var parser: AnswerParser
    /// The texts of marker tokens, which the detokenizer leaves out.
    private let markers: [Int32: String]

    init(_ conversation: Conversation?, shape: AnswerShape, of model: Model, beginsThinking: Bool) {
        let hasTools = conversation?.tools != nil
        parser = AnswerParser(
            format: hasTools ? model.toolCallFormat : nil,
            allowsManyCalls: conversation?.allowsManyCalls ?? true,
            beginsThinking: beginsThinking,
            plainCallNames: shape.plainCallNames
        )
        var markers: [Int32: String] = [:]
        for text in (hasTools ? ToolCallFormat.markers : []) + ["<think>", "</think>"] {
            if let id = model.tokenizer.id(of: text), model.tokenizer.isSpecial(id) { markers[id] = text }
        }
        self.markers = markers
    }

    /// Whether the answer calls a tool.
    var hasCalls: Bool { parser.hasCalls }

    /// The parts that a piece completes.
    mutating func parts(of piece: TextGeneration.Piece) -> [AnswerParser.Part] {
        let text = piece.tokens.compactMap { markers[$0] }.reduce(piece.text, +)
        let parts = parser.append(text)
        return piece.summary == nil ? parts : parts + parser.finish()
    }
}
