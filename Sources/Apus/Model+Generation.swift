import ApusChat
import ApusCore
import ApusEngine

extension Model {
    /// Continues a text as it stands, without a chat template.
    /// - Parameters:
    ///   - prompt: the text; special tokens' names in it stand for these tokens.
    ///   - options: how the continuation is generated.
    /// - Throws: `ApusError`: `contextFull` with the counts if the prompt does not fit, `invalidArgument` for options
    ///   out of range.
    public func generate(_ prompt: String, options: GenerationOptions = GenerationOptions()) throws -> TextGeneration {
        try generate(tokens: tokenizer.encode(prompt), options: options)
    }

    /// Continues a sequence of tokens.
    /// - Throws: as for text, and for an empty sequence.
    public func generate(tokens: [Int32], options: GenerationOptions = GenerationOptions()) throws -> TextGeneration {
        let matcher = try StopStringMatcher(stopStrings: options.stop)
        let request = GenerationRequest(
            prompt: tokens,
            sampling: options.sampling,
            maximumTokenCount: options.maximumTokenCount,
            endTokens: tokenizer.endOfGeneration,
            alternativeCount: options.alternativeCount
        )
        return TextGeneration(
            events: try engine.submit(request),
            tokenizer: tokenizer,
            stop: options.stop,
            matcher: matcher,
            promptTokenCount: tokens.count,
            path: path
        )
    }

    /// Starts a conversation.
    /// - Parameters:
    ///   - system: the system prompt.
    ///   - options: how answers are generated.
    public func chat(system: String? = nil, options: GenerationOptions = GenerationOptions()) -> ChatSession {
        ChatSession(model: self, system: system, options: options)
    }

    /// The prompt of a conversation: rendered by the model's template, then tokenized with special tokens.
    /// - Throws: `ApusError` (`template`) if the model has none, naming the way out.
    package func promptTokens(_ messages: [ChatValue], tools: [ChatValue]? = nil) throws -> [Int32] {
        guard let chatTemplate else { throw ModelFile.missingTemplate }
        let text = try chatTemplate.render(
            messages: messages,
            tools: tools,
            bosToken: tokenizer.bos.map { String(decoding: tokenizer.token($0), as: UTF8.self) },
            eosToken: tokenizer.eos.map { String(decoding: tokenizer.token($0), as: UTF8.self) },
            now: CalendarTime.now
        )
        // Templates write BOS themselves; the tokenizer's own would come twice.
        return tokenizer.encode(text, parseSpecial: true, addSpecial: false)
    }
}
