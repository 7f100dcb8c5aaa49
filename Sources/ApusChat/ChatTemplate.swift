import ApusCore

/// A model's chat template: turns a conversation into the text that the model continues.
///
/// Templates are written in Jinja. They render to the same bytes as Python's jinja2 set up as the `transformers`
/// library sets it up: sandboxed with immutable values, `trim_blocks`, `lstrip_blocks`, loop controls, the
/// `generation` tag, `raise_exception`, `strftime_now` and its own `tojson`. They reach nothing but the values
/// passed to ``render(messages:tools:addGenerationPrompt:bosToken:eosToken:now:extra:limits:)``. A template is
/// immutable and may render on many threads at once.
public struct ChatTemplate: Sendable {
    private let template: ScopedBody

    /// Parses a template.
    /// - Parameter source: the Jinja source, at most 1 MiB.
    /// - Throws: `ApusError` with code `template`, naming the line, for a syntax error or source nested too deep.
    public init(source: String) throws {
        template = try ChatTemplate.reportingErrors { try Parser.parse(source) }
    }

    /// Renders a conversation.
    /// - Parameters:
    ///   - messages: objects with `role`, `content` (text or a list of parts) and whatever else the template reads.
    ///   - tools: JSON schemas of the functions that the model may call; nil and empty mean different things to some
    ///     templates.
    ///   - addGenerationPrompt: whether the text ends with the beginning of the assistant's answer.
    ///   - bosToken: the model's beginning-of-sequence token as text; nil leaves it undefined.
    ///   - eosToken: the model's end-of-sequence token as text; nil leaves it undefined.
    ///   - now: what `strftime_now` prints; a template that calls it without is refused.
    ///   - extra: further variables of the template, such as `enable_thinking`.
    ///   - limits: what rendering may use.
    /// - Throws: `ApusError` with code `template`, naming the line: the message of the template's own
    ///   `raise_exception`, what Python would raise, or the limit that was reached.
    public func render(
        messages: [ChatValue],
        tools: [ChatValue]? = nil,
        addGenerationPrompt: Bool = true,
        bosToken: String? = nil,
        eosToken: String? = nil,
        now: CalendarTime? = nil,
        extra: [String: ChatValue] = [:],
        limits: RenderLimits = RenderLimits()
    ) throws -> String {
        var variables = extra
        variables["messages"] = .array(messages)
        variables["tools"] = tools.map(ChatValue.array) ?? .null
        variables["documents"] = variables["documents"] ?? .null
        variables["add_generation_prompt"] = .bool(addGenerationPrompt)
        if let bosToken { variables["bos_token"] = .string(bosToken) }
        if let eosToken { variables["eos_token"] = .string(eosToken) }
        return try render(variables: variables, now: now, limits: limits)
    }

    /// Renders over exactly the given variables.
    package func render(
        variables: [String: ChatValue],
        now: CalendarTime? = nil,
        limits: RenderLimits = RenderLimits()
    ) throws -> String {
        try ChatTemplate.reportingErrors {
            var context = Globals.table()
            for (name, value) in variables { context[name] = try value.templateValue() }
            let output = try Interpreter(context: context, now: now, limits: limits).render(template)
            return String(decoding: output, as: UTF8.self)
        }
    }

    private static func reportingErrors<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let failure as TemplateFailure {
            let place = failure.line.map { " line \($0)" } ?? ""
            throw ApusError(.template, "chat template\(place): \(failure.message)")
        }
    }
}
