import ApusChat
import ApusCore
import ApusGrammar
import Testing

/// Grammars of answers against the parser that reads answers: what one admits, the other must read.
@Suite struct AnswerGrammarTests {
    /// The 256 bytes, what ends an answer, and the special tokens of all dialects.
    private static let trie = TokenTrie(
        tokens: (0...255).map { [UInt8($0)] } + [Array("<end>".utf8)]
            + (ToolCallFormat.markers + ["<think>", "</think>"]).map { [0xFF] + Array($0.utf8) },
        endOfGeneration: [256]
    )

    private static let calls = AnswerShape.Calls(
        functions: [
            .init(
                name: "turn",
                parameters:
                    #"{"type": "object", "properties": {"by": {"enum": [1, "}"]}}, "additionalProperties": false}"#,
                isStrict: true
            ),
            .init(name: "go-on", parameters: nil, isStrict: false),
        ],
        isRequired: true,
        allowsMany: true
    )

    /// An answer drawn from what is allowed, as the server hands it to the parser; nil if it grew too long.
    private static func draw(_ grammar: Grammar, _ generator: inout SystemRandomNumberGenerator) throws -> String? {
        var matcher = try GrammarMatcher(grammar.rules, trie)
        var mask = TokenMask(vocabularySize: 0)
        var bytes: [UInt8] = []
        for _ in 0..<4_000 {
            try matcher.allowedTokens(into: &mask)
            let allowed = (0..<Int32(trie.vocabularySize)).filter { mask.contains($0) }
            // What closes things is taken more often, so that answers end.
            let closing = allowed.filter { [0x22, 0x7D, 0x5D, 256].contains($0) }
            let choices = !closing.isEmpty && Bool.random(using: &generator) ? closing : allowed
            let token = try #require(choices.randomElement(using: &generator))
            #expect(try matcher.accept(token))
            if matcher.isEnded { return String(validating: bytes, as: UTF8.self) }
            bytes += token < 256 ? [UInt8(token)] : Array(markers[Int(token) - 257].utf8)
        }
        return nil
    }

    private static let markers = ToolCallFormat.markers + ["<think>", "</think>"]

    private static func parts(_ text: String, _ format: ToolCallFormat, isThinking: Bool = false) -> [AnswerParser.Part]
    {
        var parser = AnswerParser(format: format, beginsThinking: isThinking)
        return parser.append(text) + parser.finish()
    }

    @Test(arguments: ToolCallFormat.allCases) func requiredCallsAreReadAsCallsAndNothingElse(format: ToolCallFormat)
        throws
    {
        let grammar = try AnswerGrammar.compile(AnswerShape(calls: Self.calls), format: format, thoughts: .none)
        var generator = SystemRandomNumberGenerator()
        var count = 0
        for _ in 0..<200 {
            guard let text = try Self.draw(grammar, &generator) else { continue }
            count += 1
            let parts = Self.parts(text, format)
            #expect(!parts.isEmpty, "\(text)")
            for part in parts {
                guard case .call(let call) = part else {
                    Issue.record("\(text) is read as \(parts)")
                    continue
                }
                #expect(["turn", "go-on"].contains(call.name))
                if call.name == "turn" { #expect(["{}", #"{"by":1}"#, #"{"by":"}"}"#].contains(call.arguments)) }
            }
        }
        #expect(count > 40)
    }

    @Test(arguments: ToolCallFormat.allCases) func oneCallIsOneCall(format: ToolCallFormat) throws {
        var calls = Self.calls
        calls.allowsMany = false
        let grammar = try AnswerGrammar.compile(AnswerShape(calls: calls), format: format, thoughts: .none)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            guard let text = try Self.draw(grammar, &generator) else { continue }
            #expect(Self.parts(text, format).count == 1, "\(text)")
        }
    }

    /// Takes texts byte by byte, `<…>` of a marker as text.
    private static func accepts(_ grammar: Grammar, _ text: String) throws -> Bool {
        var matcher = try GrammarMatcher(grammar.rules, trie)
        for byte in text.utf8 where try !matcher.accept(Int32(byte)) { return false }
        return matcher.isComplete
    }

    @Test func whatMayBeCalledMayBeTextButNoOtherCall() throws {
        var calls = Self.calls
        calls.isRequired = false
        let tagged = try AnswerGrammar.compile(AnswerShape(calls: calls), format: .tagged, thoughts: .none)
        #expect(try Self.accepts(tagged, "Well, 1 < 2 and <tool is no call."))
        #expect(try Self.accepts(tagged, ""))
        let call = "<tool_call>\n{\"name\": \"turn\", \"arguments\": {\"by\": 1}}\n</tool_call>"
        #expect(try Self.accepts(tagged, "I turn. " + call))
        #expect(try Self.accepts(tagged, call + "\n" + call))
        #expect(try !Self.accepts(tagged, call + "\nDone."))
        #expect(try !Self.accepts(tagged, call.replacing("1", with: "2")))
        #expect(try !Self.accepts(tagged, call.replacing("turn", with: "burn")))
        let generic = try AnswerGrammar.compile(AnswerShape(calls: calls), format: .generic, thoughts: .none)
        #expect(try Self.accepts(generic, "Some {text}"))
        #expect(try Self.accepts(generic, #"{"name": "go-on", "arguments": {"a": [1, null]}}"#))
        #expect(try !Self.accepts(generic, #"{"title": "no call"}"#))
    }

    @Test func contentOrACallWhereBothArePossible() throws {
        var calls = Self.calls
        calls.isRequired = false
        let shape = AnswerShape(content: .jsonSchema(#"{"enum": [true]}"#), calls: calls)
        let grammar = try AnswerGrammar.compile(shape, format: .tagged, thoughts: .none)
        #expect(try Self.accepts(grammar, "true"))
        #expect(try Self.accepts(grammar, #"<tool_call>{"name": "go-on", "arguments": {}}</tool_call>"#))
        #expect(try !Self.accepts(grammar, "well"))
    }

    @Test func thoughtsComeFirst() throws {
        let shape = AnswerShape(content: .gbnf(#"root ::= "yes" | "no""#))
        let possible = try AnswerGrammar.compile(shape, format: .tagged, thoughts: .possible)
        #expect(try Self.accepts(possible, "no"))
        #expect(try Self.accepts(possible, "<think>\nIf </thi is < then…\n</think>\n\nyes"))
        #expect(try !Self.accepts(possible, "<think> yes"))
        let begun = try AnswerGrammar.compile(shape, format: .tagged, thoughts: .begun)
        #expect(try Self.accepts(begun, "hm</think>yes"))
        #expect(try !Self.accepts(begun, "yes"))
        #expect(try !Self.accepts(AnswerGrammar.compile(shape, format: .tagged, thoughts: .none), "<think></think>yes"))
        var matcher = try GrammarMatcher(possible.rules, Self.trie)
        let special = Int32(257 + Self.markers.firstIndex(of: "<think>")!)
        #expect(try matcher.accept(special))
        #expect(try matcher.accept(special + 1))
        #expect(try !matcher.accept(special))
    }

    @Test func aStrictSchemaThatCannotBeEnforcedIsRefusedAndNamed() throws {
        func shape(_ parameters: String, isStrict: Bool) -> AnswerShape {
            let function = AnswerShape.Calls.Function(name: "f", parameters: parameters, isStrict: isStrict)
            return AnswerShape(calls: .init(functions: [function], isRequired: true, allowsMany: false))
        }
        for parameters in [#"{"type": "object", "patternProperties": {}}"#, #"{"type": "string"}"#, "{}"] {
            let error = #expect(throws: ApusError.self) {
                try AnswerGrammar.compile(shape(parameters, isStrict: true), format: .tagged, thoughts: .none)
            }
            #expect(error?.message.hasPrefix("tools[0].function.parameters: ") == true)
            let free = try AnswerGrammar.compile(shape(parameters, isStrict: false), format: .generic, thoughts: .none)
            #expect(try Self.accepts(free, #"{"name": "f", "arguments": {"x": 1}}"#))
        }
    }

    @Test func onlyWhatDemandsSomethingNeedsAGrammar() {
        var calls = Self.calls
        calls.isRequired = false
        #expect(AnswerShape().isAnything)
        #expect(!AnswerShape(calls: calls).isAnything)
        calls.functions.removeAll(where: \.isStrict)
        #expect(AnswerShape(calls: calls).isAnything)
        calls.isRequired = true
        #expect(!AnswerShape(calls: calls).isAnything)
        #expect(!AnswerShape(content: .jsonObject).isAnything)
    }
}
