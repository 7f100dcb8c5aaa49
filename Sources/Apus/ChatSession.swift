public import ApusChat
import ApusCore
import ApusFormats

/// A conversation with a model: remembers what was said.
///
/// Not thread-safe; one answer at a time. A session whose answer was broken off keeps the part that was read.
public final class ChatSession {
    /// How answers are generated.
    public var options: GenerationOptions
    /// What was said so far, the system prompt included.
    public private(set) var messages: [ChatValue] = []
    private let model: Model

    init(model: Model, system: String?, options: GenerationOptions) {
        self.model = model
        self.options = options
        if let system { messages.append(["role": "system", "content": .string(system)]) }
    }

    /// Says something and gives the answer as it comes.
    ///
    /// The answer joins the conversation when it is given to ``append(answer:)``; ``reply(to:)`` does both.
    /// - Throws: `ApusError`: `template` if the model has no template or refuses the conversation, `contextFull` with
    ///   the counts if it no longer fits.
    public func send(_ text: String) throws -> TextGeneration {
        messages.append(["role": "user", "content": .string(text)])
        do {
            return try model.generate(tokens: model.promptTokens(messages), options: options)
        } catch {
            messages.removeLast()
            throw error
        }
    }

    /// Adds an answer to the conversation.
    public func append(answer: String) {
        messages.append(["role": "assistant", "content": .string(answer)])
    }

    /// Says something and waits for the whole answer.
    public func reply(to text: String) async throws -> String {
        let answer = try await send(text).text()
        append(answer: answer)
        return answer
    }

    /// Takes back the last message and its answer.
    /// - Returns: whether there was one.
    public func removeLastExchange() -> Bool {
        guard let index = messages.lastIndex(where: { $0.role == "user" }) else { return false }
        messages.removeSubrange(index...)
        return true
    }

    /// The conversation as a JSON array of messages.
    public var jsonText: String {
        var writer = JSONWriter(.pretty)
        writer.array { writer in for message in messages { writer.value(message) } }
        return writer.text
    }

    /// Forgets everything but the system prompt.
    public func reset() {
        messages.removeAll { $0.role != "system" }
    }
}

extension ChatValue {
    fileprivate var role: String? {
        guard case .object(let members) = self,
            case .string(let role)? = members.first(where: { $0.key == "role" })?.value
        else { return nil }
        return role
    }
}

extension JSONWriter {
    fileprivate mutating func value(_ value: ChatValue) {
        switch value {
        case .null: null()
        case .bool(let value): self.value(value)
        case .int(let value): self.value(value)
        case .double(let value): self.value(value)
        case .string(let value): self.value(value)
        case .array(let items): array { writer in for item in items { writer.value(item) } }
        case .object(let members):
            object { writer in
                for member in members {
                    writer.key(member.key)
                    writer.value(member.value)
                }
            }
        }
    }
}
