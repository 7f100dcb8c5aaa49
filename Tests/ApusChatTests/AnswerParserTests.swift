import ApusChat
import Testing

struct AnswerParserTests {
    /// The parts of an answer that comes in pieces of a length, neighbours of a kind joined.
    private static func parts(
        _ text: String,
        _ format: ToolCallFormat?,
        pieceLength: Int = 3,
        allowsManyCalls: Bool = true,
        beginsThinking: Bool = false,
        plainCallNames: [String] = []
    ) -> [AnswerParser.Part] {
        var parser = AnswerParser(
            format: format,
            allowsManyCalls: allowsManyCalls,
            beginsThinking: beginsThinking,
            plainCallNames: plainCallNames
        )
        var parts: [AnswerParser.Part] = []
        var rest = text[...]
        while !rest.isEmpty {
            parts += parser.append(String(rest.prefix(pieceLength)))
            rest = rest.dropFirst(pieceLength)
        }
        return joined(parts + parser.finish())
    }

    private static func joined(_ parts: [AnswerParser.Part]) -> [AnswerParser.Part] {
        parts.reduce(into: []) { joined, part in
            switch (joined.last, part) {
            case (.text(let a)?, .text(let b)): joined[joined.count - 1] = .text(a + b)
            case (.reasoning(let a)?, .reasoning(let b)): joined[joined.count - 1] = .reasoning(a + b)
            default: joined.append(part)
            }
        }
    }

    private static let weather = ToolCall(name: "weather", arguments: #"{"city":"Rome"}"#)
    private static let time = ToolCall(name: "time", arguments: "{}")
    private static let lengths = [1, 2, 3, 7, 1000]

    @Test(arguments: lengths) func plainTextStaysAsItIs(length: Int) {
        let texts = [
            "Hello", "  a < b and <tool_calls> ", "{\"a\": 1} is JSON", "<", "<thin", "x <think>no</think>",
            "é😀<tool_call",
        ]
        for text in texts {
            for format in [nil] + ToolCallFormat.allCases.map({ $0 as ToolCallFormat? }) {
                #expect(Self.parts(text, format, pieceLength: length) == [.text(text)], "\(text)")
            }
        }
        #expect(Self.parts("", .tagged).isEmpty)
    }

    @Test(arguments: lengths) func thoughtsAreToldApart(length: Int) {
        let answer = "\n<think>\nHm. <b>\n</think>\n\nIt is 4."
        #expect(
            Self.parts(answer, nil, pieceLength: length) == [.reasoning("\nHm. <b>\n"), .text("It is 4.")]
        )
        #expect(
            Self.parts("Hm.</think>4", nil, pieceLength: length, beginsThinking: true)
                == [.reasoning("Hm."), .text("4")]
        )
        #expect(Self.parts("<think>cut off </thi", nil, pieceLength: length) == [.reasoning("cut off </thi")])
    }

    @Test(arguments: lengths) func taggedCallsAreRead(length: Int) {
        let answer = """
            <think>Weather.</think>Let me see.
            <tool_call>
            {"name": "weather", "arguments": {"city": "Rome"}}
            </tool_call>
            <tool_call>{"name": "time"}</tool_call>
            """
        #expect(
            Self.parts(answer, .tagged, pieceLength: length)
                == [.reasoning("Weather."), .text("Let me see.\n"), .call(Self.weather), .call(Self.time)]
        )
        // The end of the answer closes a call too.
        let open = #"<tool_call>{"name": "weather", "arguments": "{\"city\":\"Rome\"}"}"#
        #expect(Self.parts(open, .tagged, pieceLength: length) == [.call(Self.weather)])
    }

    @Test(arguments: lengths) func llamaCallsAreRead(length: Int) {
        let one = #"{"name": "weather", "parameters": {"city": "Rome"}}"#
        #expect(Self.parts(one, .llama, pieceLength: length) == [.call(Self.weather)])
        let two = "<|python_tag|>" + one + #"; {"name": "time", "parameters": {}}"#
        #expect(Self.parts(two, .llama, pieceLength: length) == [.call(Self.weather), .call(Self.time)])
    }

    @Test(arguments: lengths) func mistralCallsAreRead(length: Int) {
        let list = #"[TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Rome"}}, {"name": "time"}]"#
        #expect(Self.parts(list, .mistral, pieceLength: length) == [.call(Self.weather), .call(Self.time)])
        let named = #"Yes.[TOOL_CALLS]weather[ARGS]{"city":"Rome"}[TOOL_CALLS]time[ARGS]{}"#
        #expect(
            Self.parts(named, .mistral, pieceLength: length) == [.text("Yes."), .call(Self.weather), .call(Self.time)]
        )
    }

    @Test(arguments: lengths) func genericCallsAreRead(length: Int) {
        for answer in [
            #"{"name": "weather", "arguments": {"city": "Rome"}}"#,
            #" {"tool_call": {"name": "weather", "arguments": {"city": "Rome"}}} "#,
            #"[{"function": {"name": "weather", "parameters": {"city": "Rome"}}}]"#,
        ] {
            #expect(Self.parts(answer, .generic, pieceLength: length) == [.call(Self.weather)], "\(answer)")
        }
    }

    @Test(arguments: [
        "<tool_call>not JSON</tool_call>", #"<tool_call>{"arguments": {}}</tool_call>"#,
        #"<tool_call>{"name": "f", "arguments": [1]}</tool_call>"#, "<tool_call>",
        #"<tool_call>{"name": "f", "arguments": {"a": "#,
    ])
    func whatCannotBeReadIsText(answer: String) {
        for length in Self.lengths { #expect(Self.parts(answer, .tagged, pieceLength: length) == [.text(answer)]) }
    }

    @Test func aSecondCallIsDroppedWhereOneIsAllowed() {
        let answer = #"<tool_call>{"name": "time"}</tool_call><tool_call>{"name": "time"}</tool_call>bye"#
        #expect(Self.parts(answer, .tagged, allowsManyCalls: false) == [.call(Self.time)])
    }

    // MARK: Plain calls

    private static let names = ["time", "weather"]
    private static let plain = #"{"name": "weather", "arguments": {"city": "Rome"}}"#

    /// The parts of an answer that comes in two pieces, for every place to cut it.
    private static func everyCut(_ answer: String, _ format: ToolCallFormat = .tagged) -> Set<[String]> {
        let scalars = Array(answer.unicodeScalars)
        return Set(
            (0...scalars.count).map { cut in
                var parser = AnswerParser(format: format, plainCallNames: names)
                let pieces = [scalars[..<cut], scalars[cut...]].map { String(String.UnicodeScalarView($0)) }
                let parts = parser.append(pieces[0]) + parser.append(pieces[1]) + parser.finish()
                return joined(parts).map { "\($0)" }
            }
        )
    }

    @Test(arguments: [
        plain, " \(plain)\n", "```json\n\(plain)\n```", "```\n\(plain)\n```\n\n", "\n```json\(plain)```",
        #"```json\#n{ "name" : "weather",\#n  "parameters": {"city":"Rome"}\#n}\#n```"#,
    ])
    func anAnswerThatIsNothingButACallIsOne(answer: String) {
        let expected: Set = [["\(AnswerParser.Part.call(Self.weather))"]]
        #expect(Self.everyCut(answer) == expected)
        #expect(Self.everyCut(answer, .mistral) == expected)
        #expect(Self.everyCut("<think></think>\(answer)") == expected)
        if answer.contains("`") { #expect(Self.everyCut(answer, .generic) == expected) }
        // Without names it is text.
        #expect(Self.parts(answer, .tagged) == [.text(answer)])
    }

    @Test func argumentsOfAPlainCallMayHoldFencesAndBraces() {
        let arguments = #"{"code":"```\n}\"{\\","more":[{"a":{}}]}"#
        let answer = "```json\n{\"name\":\"time\",\"arguments\":\(arguments)}\n```"
        let call = ToolCall(name: "time", arguments: arguments)
        #expect(Self.everyCut(answer) == [["\(AnswerParser.Part.call(call))"]])
    }

    @Test(arguments: [
        #"{"name": "rain", "arguments": {"city": "Rome"}}"#, "```json\n{\"name\": \"rain\", \"arguments\": {}}\n```",
        #"{"name": "weather2", "arguments": {}}"#, #"{"name": "weather"}"#, #"{"arguments": {}, "name": "weather"}"#,
        #"{"name": "weather", "arguments": "Rome"}"#, #"{"name": "weather", "arguments": {}, "id": 1}"#,
        #"{"name": "weather", "arguments": {city}}"#, "[\(plain)]", "\(plain)\n\(plain)", "\(plain) is the call.",
        "Here it is:\n```json\n\(plain)\n```", "```json\n\(plain)\n```\nThat is the call.",
        "```json\n\(plain)\n```\n```json\n\(plain)\n```", "```json\n\(plain)\n", "```json\n\(plain)\n``",
        "```python\n\(plain)\n```", "```jsonc\n\(plain)\n```", "````\n\(plain)\n````", "`\(plain)`", "```", "`", "{",
        #"```json\#n{"name": "weather", "argum"#, "\(plain)\n```", "\(plain)}",
    ])
    func whatIsMoreOrLessThanAPlainCallIsText(answer: String) {
        #expect(Self.everyCut(answer) == [["\(AnswerParser.Part.text(answer))"]])
    }

    @Test(arguments: [
        ("It", "It"), ("{\"ci", "{\"ci"), ("{\"name\": \"r", "{\"name\": \"r"), ("```py", "```py"), ("`a", "`a"),
        ("```json\n[", "```json\n["), ("```json\n\(plain)\n```\nT", "```json\n\(plain)\n```\nT"), ("{\"na", ""),
        ("```json\n{", ""), ("``", ""), ("```json\n\(plain)\n```\n", ""),
    ])
    func textIsHeldOnlyWhileItMayBecomeAPlainCall(beginning: String, shown: String) {
        var parser = AnswerParser(format: .tagged, plainCallNames: Self.names)
        let parts = beginning.map { parser.append(String($0)) }.joined()
        #expect(Self.joined(Array(parts)) == (shown.isEmpty ? [] : [.text(shown)]))
    }

    @Test func markedCallsAreReadBehindWhatLookedLikeAPlainOne() {
        let answer = "```json\n{\"a\": 1}\n```\n<tool_call>\(Self.plain)</tool_call>"
        let parts: [AnswerParser.Part] = [.text("```json\n{\"a\": 1}\n```\n"), .call(Self.weather)]
        #expect(Self.everyCut(answer) == [parts.map { "\($0)" }])
    }

    @Test func plainCallsAreForOptionalToolsThatAreNotStrict() {
        let functions = [false, true].map {
            AnswerShape.Calls.Function(name: "\($0)", parameters: nil, isStrict: $0)
        }
        var shape = AnswerShape(calls: .init(functions: functions, isRequired: false, allowsMany: true))
        #expect(shape.plainCallNames == ["false"])
        shape.calls?.isRequired = true
        #expect(shape.plainCallNames.isEmpty)
        shape.calls?.isRequired = false
        shape.content = .jsonObject
        #expect(shape.plainCallNames.isEmpty)
        #expect(AnswerShape().plainCallNames.isEmpty)
    }

    @Test func formatsAreToldByTheirTemplates() {
        #expect(ToolCallFormat(template: "… <tool_call> …") == .tagged)
        #expect(ToolCallFormat(template: "[TOOL_CALLS]") == .mistral)
        #expect(ToolCallFormat(template: "<|python_tag|>") == .llama)
        #expect(ToolCallFormat(template: "{{ messages }}") == .generic)
    }
}
