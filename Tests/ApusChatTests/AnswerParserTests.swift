import ApusChat
import Testing

struct AnswerParserTests {
    /// The parts of an answer that comes in pieces of a length, neighbours of a kind joined.
    private static func parts(
        _ text: String,
        _ format: ToolCallFormat?,
        pieceLength: Int = 3,
        allowsManyCalls: Bool = true,
        beginsThinking: Bool = false
    ) -> [AnswerParser.Part] {
        var parser = AnswerParser(format: format, allowsManyCalls: allowsManyCalls, beginsThinking: beginsThinking)
        var parts: [AnswerParser.Part] = []
        var rest = text[...]
        while !rest.isEmpty {
            parts += parser.append(String(rest.prefix(pieceLength)))
            rest = rest.dropFirst(pieceLength)
        }
        parts += parser.finish()
        return parts.reduce(into: []) { joined, part in
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

    @Test func formatsAreToldByTheirTemplates() {
        #expect(ToolCallFormat(template: "… <tool_call> …") == .tagged)
        #expect(ToolCallFormat(template: "[TOOL_CALLS]") == .mistral)
        #expect(ToolCallFormat(template: "<|python_tag|>") == .llama)
        #expect(ToolCallFormat(template: "{{ messages }}") == .generic)
    }
}
