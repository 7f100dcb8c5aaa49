import ApusFormats
import ApusTestSupport
import Subprocess
import Testing

@Suite struct NeedleCommandTests {
    private static let text = (0..<400).map { "Sentence \($0) of this text says nothing about museums." }
        .joined(separator: " ")

    private func run(_ words: String...) async throws -> Program.Outcome {
        let model = try #require(Program.model)
        let folder = try TemporaryFolder()
        let file = try folder.write(Self.text, to: "text")
        return try await Program.run(
            .path(Program.path),
            ["eval", "needle", model, "--file", file] + words,
            input: .none
        )
    }

    @Test func questionsAreAskedAndCounted() async throws {
        guard Program.model != nil else { return }
        let outcome = try await run("--lengths", "128,256", "--depths", "0,100", "--trials", "2", "--json")
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        let report = try JSONValue(parsing: Array(outcome.output.utf8), name: "output")
        let outcomes = Array(try report.member("outcomes").elements())
        #expect(try outcomes.map { try $0.member("depth").integer() } == [0, 0, 100, 100, 0, 0, 100, 100])
        for outcome in outcomes {
            let (length, count) = try (
                outcome.member("length").integer(), outcome.member("prompt_tokens").integer()
            )
            #expect(count <= length && count > length - 16)
            let (number, answer) = try (outcome.member("number").string(), outcome.member("answer").string())
            #expect(try outcome.member("found").bool() == answer.contains(number), "\(answer)")
        }
        #expect(Set(try outcomes.map { try $0.member("number").string() }).count == 8)
        #expect(try report.member("found").integer() > 0)
        // The same questions and answers again.
        let again = try await run("--lengths", "128,256", "--depths", "0,100", "--trials", "2", "--json")
        #expect(again.output == outcome.output)
        let other = try await run("--lengths", "128", "--depths", "0", "--trials", "1", "--seed", "2")
        #expect(other.output.hasPrefix("tokens  0 %  all\n   128  "), "\(other.output)")
    }

    @Test(arguments: [
        (["--lengths", "8000"], 1, "too few for a prompt of 8000"),
        (["--lengths", "64"], 1, "room for the question"),
        (["--lengths", "10"], 2, "--lengths: expected 64"), (["--depths", "101"], 2, "--depths: expected 0 to 100"),
        (["--depths", "1,1"], 2, "different numbers"), (["--lengths", "a"], 2, "lengths"),
        (["--trials", "0"], 2, "--trials: expected 1"),
    ])
    func whatCannotBeAskedIsRefused(words: [String], status: Int32, message: String) async throws {
        guard Program.model != nil else { return }
        let outcome = try await run(words[0], words[1])
        #expect(outcome.status == .exited(status) && outcome.errors.contains(message), "\(words): \(outcome.errors)")
    }
}
