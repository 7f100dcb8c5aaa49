import ApusChat
import ApusCore
import Testing

@Suite("Chat templates")
struct ChatTemplateTests {
    private let chatML = """
        {%- for message in messages %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
        {%- endfor %}
        {%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}
        """

    private let greeting: [ChatValue] = [["role": "user", "content": "Hi"]]

    @Test("a conversation renders with and without the beginning of the answer")
    func conversation() throws {
        let template = try ChatTemplate(source: chatML)
        #expect(
            try template.render(messages: greeting) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        )
        #expect(
            try template.render(messages: greeting, addGenerationPrompt: false) == "<|im_start|>user\nHi<|im_end|>\n"
        )
    }

    @Test("tools and documents are none when absent, special tokens undefined")
    func absentVariables() throws {
        let template = try ChatTemplate(
            source: "{{ tools }} {{ documents }} {{ bos_token is defined }} {{ eos_token }}"
        )
        #expect(try template.render(messages: []) == "None None False ")
        #expect(
            try template.render(messages: [], tools: [], bosToken: "<s>", eosToken: "</s>", extra: ["documents": []])
                == "[] [] True </s>"
        )
    }

    @Test("extra variables reach the template and may not replace the conversation")
    func extraVariables() throws {
        let template = try ChatTemplate(source: "{{ enable_thinking }} {{ messages | length }}")
        #expect(try template.render(messages: greeting, extra: ["enable_thinking": false, "messages": 1]) == "False 1")
    }

    @Test("errors name the line, and carry the message of raise_exception")
    func errors() {
        #expect(
            Outcome("a\n{{ raise_exception('Roles must alternate!') }}", [:])
                == .failure("chat template line 2: Roles must alternate!")
        )
        #expect(
            Outcome("\n\n{% if %}", [:])
                == .failure("chat template line 3: expected an expression, got 'end of statement block'")
        )
        #expect(
            Outcome("{% for x in [1] %}\n{{ x.y.z }}{% endfor %}", [:])
                == .failure("chat template line 2: 'int object' has no attribute 'y'")
        )
    }

    @Test("strftime_now prints the given time and needs one")
    func clock() throws {
        let template = try ChatTemplate(source: "{{ strftime_now('%d %b %Y') }}")
        #expect(try template.render(messages: [], now: CalendarTime(iso8601: "2024-02-29")) == "29 Feb 2024")
        #expect(throws: ApusError.self) { try template.render(messages: []) }
    }

    @Test("precomposed and decomposed letters stay different")
    func codePoints() {
        #expect(
            Outcome("{{ 'e\u{301}' == '\u{E9}' }}{{ 'e\u{301}'|length }}{{ {'e\u{301}': 1, '\u{E9}': 2}|length }}", [:])
                == .text("False22")
        )
    }

    @Test("many renderings run at once")
    func concurrency() async throws {
        let template = try ChatTemplate(source: chatML)
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<16 { group.addTask { [greeting] in try template.render(messages: greeting) } }
            for try await text in group { #expect(text.hasSuffix("assistant\n")) }
        }
    }
}

@Suite("Choosing among a model's templates")
struct TemplateCatalogueTests {
    @Test("tools choose tool_use where the model has it")
    func tools() throws {
        let catalogue = TemplateCatalogue(main: "plain", named: ["tool_use": "tools", "rag": "documents"])
        #expect(try catalogue.source(hasTools: false, model: "m") == "plain")
        #expect(try catalogue.source(hasTools: true, model: "m") == "tools")
        #expect(try catalogue.source(named: "rag", hasTools: true, model: "m") == "documents")
        #expect(try TemplateCatalogue(main: "plain").source(hasTools: true, model: "m") == "plain")
    }

    @Test("a base model is refused, naming --raw")
    func baseModel() {
        let error = #expect(throws: ApusError.self) {
            try TemplateCatalogue(main: nil).source(hasTools: false, model: "gemma-3-270m.gguf")
        }
        #expect(error?.message.contains("gemma-3-270m.gguf has no chat template") == true)
        #expect(error?.message.contains("--raw") == true)
    }

    @Test("an unknown name and a missing default list the names there are")
    func names() {
        let catalogue = TemplateCatalogue(main: nil, named: ["b": "", "a": ""])
        for name in ["x", nil] {
            let error = #expect(throws: ApusError.self) {
                try catalogue.source(named: name, hasTools: false, model: "m")
            }
            #expect(error?.message.contains("a, b") == true)
        }
    }
}

@Suite("Calendar times")
struct CalendarTimeTests {
    @Test("seconds since 1970 and ISO 8601 agree over four centuries")
    func agreement() {
        #expect(CalendarTime(secondsSince1970: 0) == CalendarTime(iso8601: "1970-01-01"))
        #expect(CalendarTime(secondsSince1970: 951_827_696) == CalendarTime(iso8601: "2000-02-29T12:34:56Z"))
        #expect(CalendarTime(secondsSince1970: 1_753_538_709) == CalendarTime(iso8601: "2025-07-26 14:05:09"))
        #expect(CalendarTime(secondsSince1970: -1) == CalendarTime(iso8601: "1969-12-31T23:59:59"))
        #expect(CalendarTime(secondsSince1970: -5_364_662_400) == CalendarTime(iso8601: "1800-01-01"))
    }

    @Test(
        "text that is no time is refused",
        arguments: [
            "", "2025", "2025-13-01", "2025-02-29", "2025-01-01T24:00", "2025-01-01T1:00", "2025-01-01x", "-025-01-01",
            "2025-01-01T00:00:00.", "2025-01-01T00:00+", "2025-01-01T00:00+0x",
        ]
    )
    func refusal(text: String) {
        #expect(CalendarTime(iso8601: text) == nil)
    }
}
