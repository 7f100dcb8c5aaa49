import Apus
import ApusEngine
import ApusFormats
import ApusTokenizers

/// One answer of a chat completion as it adds up.
struct ChatChoice: Sendable {
    var text = ""
    var reasoning = ""
    var calls: [ToolCall] = []
    var tokens: [ScoredToken] = []
    var reason = "length"
    private var reader: ConversationReader

    init(reader: ConversationReader) { self.reader = reader }

    /// Adds a piece.
    mutating func add(_ piece: TextGeneration.Piece) {
        for part in reader.parts(of: piece) {
            switch part {
            case .text(let piece): text += piece
            case .reasoning(let piece): reasoning += piece
            case .call(let call): calls.append(call)
            }
        }
        tokens += ScoredToken.tokens(of: piece)
        if let summary = piece.summary { reason = summary.reason.openAIName(hasCalls: reader.hasCalls) }
    }

    /// Writes the member `message`.
    func writeMessage(id: String, to writer: inout JSONWriter) {
        writer.objectMember("message") { writer in
            writer.member("role", "assistant")
            writer.member("content", text.isEmpty && !calls.isEmpty ? nil : text)
            writer.nullMember("refusal")
            if !reasoning.isEmpty { writer.member("reasoning_content", reasoning) }
            guard !calls.isEmpty else { return }
            writer.arrayMember("tool_calls") { writer in
                for (index, call) in calls.enumerated() {
                    writer.object { call.write(id: "\(id)-\(index)", to: &$0) }
                }
            }
        }
    }
}

extension ToolCall {
    /// Writes the members of a call.
    func write(id: String, to writer: inout JSONWriter) {
        writer.member("id", id)
        writer.member("type", "function")
        writer.objectMember("function") { writer in
            writer.member("name", name)
            writer.member("arguments", arguments)
        }
    }
}

/// A chat completion as JSON.
struct ChatAnswer: Sendable {
    let header: AnswerHeader
    let choices: [ChatChoice]
    let usage: Inference.Usage
    let hasLogprobs: Bool

    /// Writes the answer's members.
    func write(to writer: inout JSONWriter) {
        header.write(object: "chat.completion", to: &writer)
        writer.arrayMember("choices") { writer in
            for (index, choice) in choices.enumerated() {
                writer.object { writer in
                    writer.member("index", index)
                    choice.writeMessage(id: header.callID(index), to: &writer)
                    ChatLogprobs.write(hasLogprobs ? choice.tokens : nil, header.model.model.tokenizer, to: &writer)
                    writer.member("finish_reason", choice.reason)
                }
            }
        }
        usage.write(to: &writer)
    }

    static let schema = AnswerHeader.schema(
        choice: Schema.Property("message", .anyObject, isRequired: true),
        reasons: ["stop", "length", "tool_calls"]
    )
}

/// Log probabilities as chat completions have them.
enum ChatLogprobs {
    /// Writes the member `logprobs`.
    static func write(_ tokens: [ScoredToken]?, _ tokenizer: Tokenizer, to writer: inout JSONWriter) {
        guard let tokens else { return writer.nullMember("logprobs") }
        writer.objectMember("logprobs") { writer in
            writer.arrayMember("content") { writer in
                for token in tokens {
                    writer.object { writer in
                        write(token.token, token.logprobs.logprob, tokenizer, to: &writer)
                        writer.arrayMember("top_logprobs") { writer in
                            for entry in token.logprobs.alternatives {
                                writer.object { write(entry.token, entry.logprob, tokenizer, to: &$0) }
                            }
                        }
                    }
                }
            }
            writer.nullMember("refusal")
        }
    }

    private static func write(_ token: Int32, _ logprob: Float, _ tokenizer: Tokenizer, to writer: inout JSONWriter) {
        let bytes = tokenizer.token(token)
        writer.member("token", String(decoding: bytes, as: UTF8.self))
        writer.member("logprob", ScoredToken.json(logprob))
        writer.arrayMember("bytes") { writer in for byte in bytes { writer.value(byte) } }
    }
}

/// A chat completion as a stream of chunks.
struct ChatStream: StreamEncoder {
    private let header: AnswerHeader
    private let hasLogprobs: Bool
    private let includesUsage: Bool
    private var readers: [ConversationReader]
    private var callCounts: [Int]

    init(header: AnswerHeader, readers: [ConversationReader], hasLogprobs: Bool, includesUsage: Bool) {
        self.header = header
        self.hasLogprobs = hasLogprobs
        self.includesUsage = includesUsage
        self.readers = readers
        callCounts = Array(repeating: 0, count: readers.count)
    }

    func beginning() -> [UInt8] {
        readers.indices.flatMap { choice in
            chunk(choice) { writer in
                writer.member("role", "assistant")
                writer.member("content", "")
            }
        }
    }

    mutating func bytes(for event: Inference.Event) -> [UInt8] {
        switch event {
        case .piece(let choice, let piece): return bytes(for: piece, of: choice)
        case .finished(let usage):
            return header.streamEnd(object: "chat.completion.chunk", includesUsage ? usage : nil)
        }
    }

    private mutating func bytes(for piece: TextGeneration.Piece, of choice: Int) -> [UInt8] {
        let parts = readers[choice].parts(of: piece)
        var tokens = hasLogprobs ? ScoredToken.tokens(of: piece) : []
        var bytes: [UInt8] = []
        for part in parts {
            bytes += chunk(choice, tokens: tokens) { write(part, of: choice, to: &$0) }
            if case .call = part { callCounts[choice] += 1 }
            // A piece's log probabilities go with its first part.
            tokens = []
        }
        if !tokens.isEmpty { bytes += chunk(choice, tokens: tokens) { $0.member("content", "") } }
        guard let summary = piece.summary else { return bytes }
        return bytes + chunk(choice, reason: summary.reason.openAIName(hasCalls: readers[choice].hasCalls)) { _ in }
    }

    private func write(_ part: AnswerParser.Part, of choice: Int, to writer: inout JSONWriter) {
        switch part {
        case .text(let text): writer.member("content", text)
        case .reasoning(let text): writer.member("reasoning_content", text)
        case .call(let call):
            let index = callCounts[choice]
            writer.arrayMember("tool_calls") { writer in
                writer.object { writer in
                    writer.member("index", index)
                    call.write(id: "\(header.callID(choice))-\(index)", to: &writer)
                }
            }
        }
    }

    func bytes(for error: ServiceError) -> [UInt8] { EventFrame.json { OpenAIError.write(error, to: &$0) } }

    private func chunk(
        _ choice: Int,
        tokens: [ScoredToken] = [],
        reason: String? = nil,
        delta: (inout JSONWriter) -> Void
    ) -> [UInt8] {
        EventFrame.json { writer in
            header.write(object: "chat.completion.chunk", to: &writer)
            writer.arrayMember("choices") { writer in
                writer.object { writer in
                    writer.member("index", choice)
                    writer.objectMember("delta", delta)
                    ChatLogprobs.write(tokens.isEmpty ? nil : tokens, header.model.model.tokenizer, to: &writer)
                    writer.member("finish_reason", reason)
                }
            }
            if includesUsage { writer.nullMember("usage") }
        }
    }
}
