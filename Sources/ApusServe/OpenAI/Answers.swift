import Apus
import ApusEngine
import ApusFormats
import ApusTokenizers

/// What all answers have in common: how they are told apart, and which model gave them.
struct AnswerHeader: Sendable {
    let id: String
    let created: Int
    let model: ServedModel

    /// - Parameters:
    ///   - prefix: OpenAI's for the kind of answer.
    ///   - call: whose id it carries on.
    init(prefix: String, call: Call, model: ServedModel) {
        id = prefix + call.id
        created = WallClock.secondsSince1970
        self.model = model
    }

    /// What the ids of a choice's tool calls begin with.
    func callID(_ choice: Int) -> String { "call-\(id)-\(choice)" }

    /// Writes the members that every answer begins with.
    func write(object: String, to writer: inout JSONWriter) {
        writer.member("id", id)
        writer.member("object", object)
        writer.member("created", created)
        writer.member("model", model.id)
    }

    /// The end of a stream: a last chunk with the token counts, if they are wanted, and OpenAI's mark.
    func streamEnd(object: String, _ usage: Inference.Usage?) -> [UInt8] {
        guard let usage else { return EventFrame.done }
        let last = EventFrame.json { writer in
            write(object: object, to: &writer)
            writer.arrayMember("choices") { _ in }
            usage.write(to: &writer)
        }
        return last + EventFrame.done
    }

    /// The schema of an answer.
    /// - Parameters:
    ///   - choice: what the answer's text is called.
    ///   - reasons: why it may end.
    static func schema(choice: Schema.Property, reasons: [String]) -> Schema {
        let choices = Schema.object([
            Schema.Property("index", .integer(0 ... .max), isRequired: true),
            choice,
            Schema.Property("logprobs", .anyObject),
            Schema.Property("finish_reason", .choice(reasons), isRequired: true),
        ])
        return .object([
            Schema.Property("id", .string, isRequired: true),
            Schema.Property("object", .string, isRequired: true),
            Schema.Property("created", .integer(0 ... .max), isRequired: true),
            Schema.Property("model", .string, isRequired: true),
            Schema.Property("choices", .array(choices, counts: 1 ... .max), isRequired: true),
            Schema.Property("usage", Inference.Usage.schema, isRequired: true),
        ])
    }
}

/// One answer of a text completion as it adds up.
struct CompletionChoice: Sendable {
    var text = ""
    var tokens: [ScoredToken] = []
    var reason = "length"

    /// Adds a piece.
    mutating func add(_ piece: TextGeneration.Piece) {
        text += piece.text
        tokens += ScoredToken.tokens(of: piece)
        if let summary = piece.summary { reason = summary.reason.openAIName() }
    }

    /// The mean log probability of a token; nothing is less likely than an answer without tokens.
    private var likelihood: Double {
        guard !tokens.isEmpty else { return -.infinity }
        return tokens.reduce(0) { $0 + Double($1.logprobs.logprob) } / Double(tokens.count)
    }

    /// The likeliest answers to each prompt, the best first; all as they are if no more were generated.
    static func best(_ count: Int, of choices: [CompletionChoice], perPrompt: Int) -> [CompletionChoice] {
        guard count < perPrompt else { return choices }
        return stride(from: 0, to: choices.count, by: perPrompt).flatMap { start in
            let ranked = choices[start..<start + perPrompt].enumerated().sorted { one, other in
                (-one.element.likelihood, one.offset) < (-other.element.likelihood, other.offset)
            }
            return ranked.prefix(count).map(\.element)
        }
    }
}

extension Inference {
    /// Waits for the end.
    /// - Parameter add: takes an answer's number and its next piece.
    /// - Throws: what ended the answers early.
    func collect(_ add: (Int, TextGeneration.Piece) -> Void) async throws -> Usage {
        for try await event in events {
            switch event {
            case .piece(let choice, let piece): add(choice, piece)
            case .finished(let usage): return usage
            }
        }
        // A stream whose task was cancelled ends without an error.
        throw CancellationError()
    }
}

/// A token with its log probability.
struct ScoredToken: Sendable {
    let token: Int32
    let logprobs: TokenLogprobs

    static func tokens(of piece: TextGeneration.Piece) -> [ScoredToken] {
        zip(piece.tokens, piece.logprobs).map { ScoredToken(token: $0, logprobs: $1) }
    }

    /// The token as one of an answer that may begin with its prompt.
    var echoToken: Echo.Token { (token, logprobs) }

    /// A log probability that JSON can hold: a forbidden token's is not a number there.
    static func json(_ logprob: Float) -> Double { logprob.isFinite ? Double(logprob) : -9999 }
}

extension FinishReason {
    /// OpenAI's name.
    func openAIName(hasCalls: Bool = false) -> String {
        if self != .stop { return "length" }
        return hasCalls ? "tool_calls" : "stop"
    }
}

extension Inference.Usage {
    /// Writes the member `usage`.
    func write(to writer: inout JSONWriter) {
        writer.objectMember("usage") { writer in
            writer.member("prompt_tokens", promptTokenCount)
            writer.member("completion_tokens", generatedTokenCount)
            writer.member("total_tokens", promptTokenCount + generatedTokenCount)
            writer.objectMember("prompt_tokens_details") { $0.member("cached_tokens", cachedTokenCount) }
        }
    }

    static let schema = Schema.object([
        Schema.Property("prompt_tokens", .integer(0 ... .max), isRequired: true),
        Schema.Property("completion_tokens", .integer(0 ... .max), isRequired: true),
        Schema.Property("total_tokens", .integer(0 ... .max), isRequired: true),
        Schema.Property("prompt_tokens_details", .object([Schema.Property("cached_tokens", .integer(0 ... .max))])),
    ])
}

/// Server-sent events.
enum EventFrame {
    /// An event with a JSON object.
    static func json(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter(.compact)
        writer.object(write)
        return Array("data: ".utf8) + writer.bytes + Array("\n\n".utf8)
    }

    /// What OpenAI's streams end with.
    static let done = Array("data: [DONE]\n\n".utf8)
}
