package import ApusChat
package import ApusEngine

/// What a client wants generated, whatever dialect it was asked in.
package struct InferenceRequest: Sendable {
    /// What is continued; each prompt is answered `choiceCount` times.
    package var prompts: [Prompt]
    /// Answers per prompt; the n-th is drawn with the seed plus n.
    package var choiceCount = 1
    /// How each token is chosen.
    package var sampling = SamplingParameters()
    /// The most tokens of an answer; nil goes on to the end of the context.
    package var maximumTokenCount: Int?
    /// Texts that end an answer; they are not part of it.
    package var stop: [String] = []
    /// Asks for log probabilities, with this many alternatives; nil asks for none.
    package var alternativeCount: Int?
    /// What an answer must look like.
    package var shape = AnswerShape()
    /// The dialect's name of the field that gave the shape, for messages.
    package var shapeField: String?
    /// Whether an answer begins with its prompt.
    package var echoesPrompt = false
    /// Asks for log probabilities of the echoed prompt, with this many alternatives; nil asks for none.
    package var echoAlternativeCount: Int?

    /// Something to continue.
    package enum Prompt: Sendable {
        /// A conversation, written the way the model's template wants it.
        case conversation(Conversation)
        /// Text as it stands; special tokens' names in it stand for these tokens.
        case text(String)
        /// Tokens as they stand.
        case tokens([Int32])
        /// A gap to fill between two texts.
        case infill(prefix: String, suffix: String)

        /// Whether it is a conversation.
        var isConversation: Bool {
            if case .conversation = self { true } else { false }
        }
    }

    package init(prompts: [Prompt]) { self.prompts = prompts }

    /// Answers in all.
    package var sequenceCount: Int { prompts.count * choiceCount }
}

/// Messages and what else a chat template reads.
package struct Conversation: Sendable, Equatable {
    package var messages: [ChatValue]
    /// Functions that the model may call; nil where there are none.
    package var tools: [ChatValue]?
    /// Further variables of the template.
    package var variables: [String: ChatValue] = [:]
    /// Whether the prompt ends with the beginning of the answer.
    package var addsGenerationPrompt = true
    /// Whether an answer may call several tools.
    package var allowsManyCalls = true

    package init(messages: [ChatValue]) { self.messages = messages }
}
