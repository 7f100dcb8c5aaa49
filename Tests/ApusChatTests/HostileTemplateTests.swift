import ApusChat
import ApusCore
import ApusFormats
import Foundation
import Testing

@Suite("Hostile templates end in an error")
struct HostileTemplateTests {
    @Test("endless loops, growth and recursion, and numbers beyond 64 bits, are errors")
    func unbounded() throws {
        let variables = try Fixture.variables(try Fixture.json("context.json"))
        for element in try Fixture.json("hostile.json").elements() {
            let source = try element.string()
            guard case .failure(let message) = Outcome(source, variables) else {
                // Bounded work that only looks endless may also finish.
                #expect(source.contains("in 'b'"), "\(source) rendered")
                continue
            }
            #expect(message.hasPrefix("chat template line 1: "), "\(message)")
        }
    }

    @Test(
        "source nested 60,000 deep is an error",
        arguments: [
            "{{|(", "{{|[", "{{|{1:", "{{|-", "{{|not ", "{{|s[", "{{|f(", "{{|1 if 1 else ", "{% set|(",
            "|{% if 1 %}", "|{% for i in l %}", "|{% set x %}", "|{% macro m() %}",
        ]
    )
    func deepSource(start: String) throws {
        let parts = start.split(separator: "|", omittingEmptySubsequences: false)
        let source = parts[0] + " " + String(repeating: String(parts[1]), count: 60_000)
        #expect(throws: ApusError.self) { try ChatTemplate(source: source) }
        #expect(throws: ApusError.self) { try ChatTemplate(source: source + "1 }}") }
    }

    @Test("long chains of one operator need no depth")
    func longChains() throws {
        let sum = "{{ 1" + String(repeating: " + 1", count: 20_000) + " }}"
        #expect(Outcome(sum, [:]) == .text("20001"))
        #expect(Outcome("{{ 'a'" + String(repeating: "|upper", count: 20_000) + " }}", [:]) == .text("A"))
        #expect(Outcome("{{ 1" + String(repeating: " if 1", count: 20_000) + " }}", [:]) == .text("1"))
    }

    @Test("source above a mebibyte is refused with both sizes")
    func longSource() {
        let outcome = Outcome(String(repeating: "a", count: 1_048_577), [:])
        #expect(outcome == .failure("chat template: template has 1048577 bytes, at most 1048576 are read"))
    }

    @Test("every prefix of a real template parses or fails cleanly")
    func truncation() throws {
        let source = """
            {%- macro m(a, b=[1, 'x']) -%}{{ a|join(', ') ~ b[0:1] }}{%- endmacro -%}{# note #}{% raw %}{{ }}{% endraw %}
            {% for k, v in {'a': 1.5e3, "b\\n": 0x1F}.items() if v is not none and v >= 2 %}{% set ns.x = -k %}
            {% elif %}{% endfor %}{{ m(*[1], **{'b': 2}) if true else none }}
            """
        let scalars = Array(source.unicodeScalars)
        for count in scalars.indices {
            let prefix = String(String.UnicodeScalarView(scalars[..<count]))
            if case .failure(let message) = Outcome(prefix, [:]) { #expect(message.hasPrefix("chat template")) }
        }
    }

    @Test("values of the caller nested too deep are an error")
    func deepValues() throws {
        var value: ChatValue = 1
        for _ in 0..<10_000 { value = [value] }
        defer { while case .array(let items) = value, let inner = items.first { value = inner } }
        let template = try ChatTemplate(source: "{{ x }}")
        #expect(throws: ApusError.self) { try template.render(messages: [], extra: ["x": value]) }
    }
}
