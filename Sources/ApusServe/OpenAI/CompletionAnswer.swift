import Apus
import ApusEngine
import ApusFormats
import ApusTokenizers

/// A text completion as JSON.
struct CompletionAnswer: Sendable {
    let header: AnswerHeader
    /// The answers to the first prompt, then those to the next.
    let choices: [CompletionChoice]
    /// What the answers to each prompt begin with.
    let echoes: [Echo]
    /// Answers per prompt.
    let choiceCount: Int
    let usage: Inference.Usage
    let hasLogprobs: Bool

    /// Writes the answer's members.
    func write(to writer: inout JSONWriter) {
        header.write(object: "text_completion", to: &writer)
        writer.arrayMember("choices") { writer in
            for (index, choice) in choices.enumerated() {
                let echo = echoes.isEmpty ? nil : echoes[index / choiceCount]
                writer.object { writer in
                    writer.member("index", index)
                    writer.member("text", (echo?.text ?? "") + choice.text)
                    CompletionLogprobs.write(
                        hasLogprobs ? (echo?.tokens ?? []) + choice.tokens.map(\.echoToken) : nil,
                        from: 0,
                        header.model.model.tokenizer,
                        to: &writer
                    )
                    writer.member("finish_reason", choice.reason)
                }
            }
        }
        usage.write(to: &writer)
    }

    static let schema = AnswerHeader.schema(
        choice: Schema.Property("text", .string, isRequired: true),
        reasons: ["stop", "length"]
    )
}

/// Log probabilities as text completions have them.
enum CompletionLogprobs {
    /// Writes the member `logprobs`.
    /// - Parameter offset: characters of the answer before these tokens.
    /// - Returns: characters of the answer after these tokens.
    @discardableResult
    static func write(
        _ tokens: [Echo.Token]?,
        from offset: Int,
        _ tokenizer: Tokenizer,
        to writer: inout JSONWriter
    ) -> Int {
        guard let tokens else {
            writer.nullMember("logprobs")
            return offset
        }
        let texts = tokens.map { text($0.token, tokenizer) }
        var offsets = [offset]
        for text in texts { offsets.append((offsets.last ?? 0) + text.unicodeScalars.count) }
        writer.objectMember("logprobs") { writer in
            writer.arrayMember("tokens") { writer in for text in texts { writer.value(text) } }
            writer.arrayMember("token_logprobs") { writer in
                for token in tokens {
                    if let logprobs = token.logprobs {
                        writer.value(ScoredToken.json(logprobs.logprob))
                    } else {
                        writer.null()
                    }
                }
            }
            writer.arrayMember("top_logprobs") { writer in
                for token in tokens {
                    guard let logprobs = token.logprobs else {
                        writer.null()
                        continue
                    }
                    writer.object { writer in
                        // Two tokens may spell the same; the likelier one stands for both.
                        var seen: Set<String> = []
                        for entry in logprobs.alternatives {
                            let text = text(entry.token, tokenizer)
                            if seen.insert(text).inserted { writer.member(text, ScoredToken.json(entry.logprob)) }
                        }
                    }
                }
            }
            writer.arrayMember("text_offset") { writer in for offset in offsets.dropLast() { writer.value(offset) } }
        }
        return offsets.last ?? offset
    }

    private static func text(_ token: Int32, _ tokenizer: Tokenizer) -> String {
        String(decoding: tokenizer.token(token), as: UTF8.self)
    }
}

/// A text completion as a stream of chunks.
struct CompletionStream: StreamEncoder {
    let header: AnswerHeader
    let echoes: [Echo]
    let choiceCount: Int
    let hasLogprobs: Bool
    let includesUsage: Bool
    /// Characters that each answer has so far.
    private var offsets: [Int: Int] = [:]

    init(header: AnswerHeader, echoes: [Echo], choiceCount: Int, hasLogprobs: Bool, includesUsage: Bool) {
        self.header = header
        self.echoes = echoes
        self.choiceCount = choiceCount
        self.hasLogprobs = hasLogprobs
        self.includesUsage = includesUsage
    }

    mutating func beginning() -> [UInt8] {
        var bytes: [UInt8] = []
        for (prompt, echo) in echoes.enumerated() {
            for choice in 0..<choiceCount {
                bytes += chunk(prompt * choiceCount + choice, echo.text, tokens: echo.tokens, reason: nil)
            }
        }
        return bytes
    }

    mutating func bytes(for event: Inference.Event) -> [UInt8] {
        switch event {
        case .piece(let choice, let piece):
            let tokens = hasLogprobs ? ScoredToken.tokens(of: piece).map(\.echoToken) : []
            let reason = piece.summary?.reason.openAIName()
            guard !piece.text.isEmpty || !tokens.isEmpty || reason != nil else { return [] }
            return chunk(choice, piece.text, tokens: tokens, reason: reason)
        case .finished(let usage):
            return header.streamEnd(object: "text_completion", includesUsage ? usage : nil)
        }
    }

    func bytes(for error: ServiceError) -> [UInt8] { EventFrame.json { OpenAIError.write(error, to: &$0) } }

    private mutating func chunk(
        _ choice: Int,
        _ text: String,
        tokens: [Echo.Token],
        reason: String?
    ) -> [UInt8] {
        var offset = offsets[choice] ?? 0
        let bytes = EventFrame.json { writer in
            header.write(object: "text_completion", to: &writer)
            writer.arrayMember("choices") { writer in
                writer.object { writer in
                    writer.member("index", choice)
                    writer.member("text", text)
                    offset = CompletionLogprobs.write(
                        tokens.isEmpty ? nil : tokens,
                        from: offset,
                        header.model.model.tokenizer,
                        to: &writer
                    )
                    writer.member("finish_reason", reason)
                }
            }
            if includesUsage { writer.nullMember("usage") }
        }
        offsets[choice] = offset
        return bytes
    }
}
