import ApusFormats
import ApusTestSupport
import Subprocess
import Testing

@Suite struct GrammarOptionTests {
    private static let schema = """
        {"type": "object", "properties": {"size": {"enum": ["small", "large"]}, "count": {"type": "integer", \
        "minimum": 1, "maximum": 3}}, "required": ["size", "count"], "additionalProperties": false}
        """

    @Test(arguments: ["0", "2"]) func runKeepsToASchema(temperature: String) async throws {
        guard let model = Program.model else { return }
        let folder = try TemporaryFolder()
        let file = try folder.write(Self.schema, to: "schema.json")
        let outcome = try await Program.run(
            "run",
            model,
            "Why is the sky blue?",
            "--json-schema",
            file,
            "--temperature",
            temperature,
            "--seed",
            "3"
        )
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        let answer = try JSONValue(parsing: Array(outcome.output.utf8), name: "answer")
        #expect(try ["small", "large"].contains(answer.member("size").string()))
        #expect(try (1...3).contains(answer.member("count").integer()))
    }

    @Test func runAndChatKeepToAGrammar() async throws {
        guard let model = Program.model else { return }
        let folder = try TemporaryFolder()
        let file = try folder.write("root ::= \"rain\" | \"sunshine\"", to: "weather.gbnf")
        let run = try await Program.run("run", model, "Name a colour.", "--raw", "--grammar", file)
        #expect(["rain\n", "sunshine\n"].contains(run.output), "\(run)")
        let chat = try await Program.run("chat", model, "--grammar", file, input: "Hello\nGoodbye\n")
        let answers = chat.output.split(separator: "\n")
        #expect(answers.count == 2 && answers.allSatisfy { ["rain", "sunshine"].contains($0) }, "\(chat)")
    }

    @Test(arguments: [
        ("--json-schema", #"{"type": "array", "uniqueItems": true}"#, "uniqueItems"),
        ("--json-schema", "{", "form"), ("--json-schema", "\u{FEFF}{}", "form"), ("--grammar", "", "root"),
        ("--grammar", "root ::= missing", "missing"),
        ("--grammar", "root ::= \"" + String(repeating: "a", count: 1 << 20) + "\"", "1048576 bytes, found 1048587"),
    ])
    func whatCannotBeKeptNamesFileAndReason(option: String, text: String, reason: String) async throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(text, to: "form")
        let outcome = try await Program.run("run", "/nonexistent/model.gguf", "Hello", option, file)
        #expect(outcome.status == .exited(1))
        #expect(outcome.errors.split(separator: "\n").count == 1)
        #expect(outcome.errors.hasPrefix("apus: error: \(file): "), "\(outcome.errors)")
        #expect(outcome.errors.contains(reason), "\(outcome.errors)")
    }

    @Test func aFileThatCannotBeReadIsNamed() async throws {
        let folder = try TemporaryFolder()
        let latin = try folder.write([0x22, 0xE9, 0x22], to: "latin")
        for (file, reason) in [
            ("/nonexistent/form", "No such file"), (folder.path, "not a regular file"), (latin, "UTF-8"),
        ] {
            let outcome = try await Program.run("run", "/nonexistent/model.gguf", "Hello", "--json-schema", file)
            #expect(outcome.status == .exited(1))
            #expect(outcome.errors.hasPrefix("apus: error: \(file): "), "\(outcome.errors)")
            #expect(outcome.errors.contains(reason), "\(outcome.errors)")
        }
    }
}
