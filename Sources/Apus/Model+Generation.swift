import ApusChat
import ApusCore
import ApusEngine
package import ApusGrammar

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
        let request = GenerationRequest(
            prompt: tokens,
            sampling: options.sampling,
            maximumTokenCount: options.maximumTokenCount,
            endTokens: tokenizer.endOfGeneration,
            alternativeCount: options.alternativeCount,
            constraint: try options.grammar.map { try constraint($0) }
        )
        return try generate(request, stop: options.stop)
    }

    /// The text of an engine's request, up to the first of the stop strings.
    package func generate(_ request: GenerationRequest, stop: [String]) throws -> TextGeneration {
        let matcher = try StopStringMatcher(stopStrings: stop)
        return TextGeneration(
            events: try engine.submit(request),
            tokenizer: tokenizer,
            stop: stop,
            matcher: matcher,
            promptTokenCount: request.prompt.count,
            path: path
        )
    }

    /// What keeps an answer of this model to a grammar.
    /// - Throws: `ApusError` (`unsupported`) for a grammar that is too ambiguous.
    package func constraint(_ grammar: Grammar) throws -> GrammarConstraint {
        GrammarConstraint(try GrammarMatcher(grammar.rules, tokenTrie))
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
        let text = try promptText(messages, tools: tools)
        // Templates write BOS themselves; the tokenizer's own would come twice.
        return tokenizer.encode(text, parseSpecial: true, addSpecial: false)
    }

    /// The prompt of a conversation as text.
    /// - Throws: as for tokens.
    package func promptText(
        _ messages: [ChatValue],
        tools: [ChatValue]? = nil,
        addGenerationPrompt: Bool = true,
        extra: [String: ChatValue] = [:]
    ) throws -> String {
        guard let template = tools == nil ? chatTemplate : toolTemplate else { throw ModelFile.missingTemplate }
        return try template.render(
            messages: messages,
            tools: tools,
            addGenerationPrompt: addGenerationPrompt,
            bosToken: tokenizer.bos.map { String(decoding: tokenizer.token($0), as: UTF8.self) },
            eosToken: tokenizer.eos.map { String(decoding: tokenizer.token($0), as: UTF8.self) },
            now: CalendarTime.now,
            extra: extra
        )
    }
}
