import ApusCore
import ApusFormats
package import ApusGrammar

/// Writes the grammar of an answer's shape as a family of models spells it; `AnswerParser` reads what it admits.
package struct AnswerGrammar {
    private var builder: GrammarBuilder
    private let format: ToolCallFormat
    private let space: GrammarExpression

    /// The grammar of a shape.
    /// - Parameters:
    ///   - shape: what the answer must look like.
    ///   - format: how calls are written.
    ///   - thoughts: what may come before.
    /// - Throws: `ApusError` with code `invalidArgument` or `unsupported` for what cannot be enforced.
    package static func compile(_ shape: AnswerShape, format: ToolCallFormat, thoughts: Thoughts) throws -> Grammar {
        var grammar = try AnswerGrammar(format: format, source: shape.source)
        var answers: [GrammarExpression] = []
        if let calls = shape.calls { answers.append(try grammar.calls(calls, isAfterText: shape.content == .anything)) }
        if shape.calls?.isRequired != true {
            answers.append(try grammar.content(shape.content, besidesCalls: shape.calls != nil))
        }
        let answer = try grammar.after(thoughts, .choice(answers))
        return Grammar(try grammar.builder.grammar(answer))
    }

    private init(format: ToolCallFormat, source: String) throws {
        self.format = format
        builder = GrammarBuilder(source: source)
        space = try builder.jsonSpace()
    }

    // MARK: Content

    private mutating func content(_ content: AnswerShape.Content, besidesCalls: Bool) throws -> GrammarExpression {
        switch content {
        case .anything: besidesCalls ? try text() : .choice([])
        case .jsonObject: try builder.anyObject()
        case .jsonSchema(let schema): try builder.jsonSchema(JSONValue(parsing: Array(schema.utf8), name: "schema"))
        case .gbnf(let text): try builder.gbnf(text)
        }
    }

    /// Any text that is no call and does not begin like one.
    private mutating func text() throws -> GrammarExpression {
        if let opening = format.opening { return try builder.text(without: opening) }
        return .choice([try builder.text(notBeginningWith: "{[<"), .empty])
    }

    private mutating func after(_ thoughts: Thoughts, _ answer: GrammarExpression) throws -> GrammarExpression {
        guard thoughts != .none else { return answer }
        let separator = GrammarExpression.repetition(.text("\n"), minimum: 0, maximum: 2)
        let rest = GrammarExpression.sequence([try builder.text(upTo: "</think>"), separator])
        let begun = thoughts == .begun ? rest : .optional(.sequence([.marker("<think>"), rest]))
        return .sequence([begun, answer])
    }

    // MARK: Calls

    private mutating func calls(_ calls: AnswerShape.Calls, isAfterText: Bool) throws -> GrammarExpression {
        let arguments = try calls.functions.enumerated().map { try self.arguments($1, index: $0) }
        let bodies = zip(calls.functions, arguments).map { body($0.name, $1) }
        let hasText = isAfterText && !calls.isRequired
        switch format {
        case .tagged:
            let call = try builder.add("call", .choice(bodies))
            let rest = GrammarExpression.sequence([space, call, space, .marker("</tool_call>")])
            let first = try opened("<tool_call>", rest, hasText)
            return .sequence([first, many(.sequence([space, .marker("<tool_call>"), rest]), calls.allowsMany)])
        case .mistral:
            let call = try builder.add("call", .choice(bodies))
            let list = GrammarExpression.sequence([
                .text("["), space, call, many(.sequence([.text(","), space, call]), calls.allowsMany), space,
                .text("]"),
            ])
            let named = zip(calls.functions, arguments).map { function, arguments in
                GrammarExpression.sequence([.text(function.name), .marker("[ARGS]"), space, arguments])
            }
            let short = try builder.add("named", .choice(named))
            let shorts = GrammarExpression.sequence([
                short, many(.sequence([.marker("[TOOL_CALLS]"), short]), calls.allowsMany),
            ])
            return try opened("[TOOL_CALLS]", .sequence([space, .choice([list, shorts])]), hasText)
        case .llama:
            let call = try builder.add("call", .choice(bodies))
            let more = GrammarExpression.sequence([.text(";"), space, call])
            return .sequence([.optional(.marker("<|python_tag|>")), call, many(more, calls.allowsMany)])
        case .generic:
            let call = try builder.add("call", .choice(bodies))
            guard calls.allowsMany else { return call }
            let more = GrammarExpression.sequence([.text(","), space, call])
            let list = GrammarExpression.sequence([.text("["), space, call, many(more, true), space, .text("]")])
            return .choice([call, list])
        }
    }

    /// What follows a marker, with text before it or without.
    private mutating func opened(_ marker: String, _ rest: GrammarExpression, _ hasText: Bool) throws
        -> GrammarExpression
    {
        .sequence([hasText ? try builder.text(upTo: marker) : .marker(marker), rest])
    }

    private func many(_ more: GrammarExpression, _ isAllowed: Bool) -> GrammarExpression {
        isAllowed ? .repetition(more, minimum: 0, maximum: nil) : .empty
    }

    /// `{"name": …, "arguments": …}`.
    private func body(_ name: String, _ arguments: GrammarExpression) -> GrammarExpression {
        func member(_ key: String, _ value: GrammarExpression) -> GrammarExpression {
            .sequence([.text("\"\(key)\":"), space, value])
        }
        var quoted = JSONWriter(.compact)
        quoted.value(name)
        return .sequence([
            .text("{"), space, member("name", .text(quoted.text)), .text(","), space,
            member(format == .llama ? "parameters" : "arguments", arguments), space, .text("}"),
        ])
    }

    private mutating func arguments(_ function: AnswerShape.Calls.Function, index: Int) throws -> GrammarExpression {
        guard let parameters = function.parameters else { return try builder.anyObject() }
        var attempt = builder
        do {
            let schema = try JSONValue(parsing: Array(parameters.utf8), name: "parameters")
            guard try schema.memberIfPresent("type")?.string() == "object" else {
                throw ApusError(.unsupported, "expected a schema with type object")
            }
            let arguments = try attempt.add(function.name, attempt.jsonSchema(schema))
            builder = attempt
            return arguments
        } catch let error as ApusError {
            guard function.isStrict else { return try builder.anyObject() }
            throw ApusError(error.code, "tools[\(index)].function.parameters: \(error.message)", cause: error)
        }
    }
}

extension AnswerShape {
    /// What messages call it.
    fileprivate var source: String {
        switch content {
        case .anything: "tools"
        case .jsonObject: "json_object"
        case .jsonSchema: "schema"
        case .gbnf: "grammar"
        }
    }
}
