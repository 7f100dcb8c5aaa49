import ApusTestSupport
import Foundation
import Subprocess
import Testing

@Suite struct ExitCodeTests {
    @Test func successIsZero() async throws {
        let outcome = try await Program.run("info")
        #expect(outcome.status == .exited(0))
        #expect(outcome.errors.isEmpty)
        #expect(outcome.output.contains("tier"))
    }

    @Test(arguments: [
        ["frobnicate"], ["run"], ["run", "model.gguf", "x", "--kv", "q3"], ["bench", "model.gguf", "--repeat", "0"],
        ["run", "model.gguf", "x", "--memory", "many"], ["eval", "perplexity", "model.gguf"],
    ])
    func wrongUsageIsTwo(words: [String]) async throws {
        let result = try await Subprocess.run(
            .path(Program.path),
            arguments: Arguments(words),
            environment: Program.environment,
            output: .string(limit: 1 << 16),
            error: .string(limit: 1 << 16)
        )
        #expect(result.terminationStatus == .exited(2))
        #expect(result.standardOutput.isEmpty)
        #expect(!result.standardError.isEmpty)
    }

    @Test(arguments: [
        (["rum", "smollm2", "hi"], "unknown command 'rum'; did you mean 'apus run'?"),
        (["xyzzy"], "unknown command 'xyzzy'; see: apus --help"),
        (["eval", "perplexty"], "unknown command 'perplexty'; did you mean 'apus eval perplexity'?"),
        (["help", "shwo"], "unknown command 'shwo'; did you mean 'apus show'?"),
        (["tokenize", "smollm2", "Hello"], "printf %s 'Hello' | apus tokenize smollm2"),
        (["run", "smollm2"], "expected a prompt"), (["run", "smollm2"], "Usage: apus run [<options>] <model>"),
        (["run", "smollm2", "hi", "--top-p", "3"], "--top-p: expected above 0 to 1, found 3"),
        (["chat", "smollm2", "--max-tokens", "0"], "--max-tokens: expected 1 or more, found 0"),
        (["run", "smollm2", "hi", "--json-schema", "a", "--grammar", "b"], "either --json-schema or --grammar"),
        (["run", "smollm2", "hi", "--threads", "0"], "--threads: expected 1 to 1024, found 0"),
        (["rm"], "NAME or --partial"),
    ])
    func wrongUsageSaysWhatIsRight(words: [String], message: String) async throws {
        let outcome = try await Program.run(.path(Program.path), words, input: .none)
        #expect(outcome.status == .exited(2))
        #expect(outcome.errors.hasPrefix("apus: error: "), "\(outcome.errors)")
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
    }

    @Test(arguments: [
        (["--memory", "10KB"], "the limit is 10.0 kB"), (["--context", "999999"], "trained for, found 999999"),
    ])
    func aPlanThatCannotBeNamesTheFileAndTheNumbers(options: [String], numbers: String) async throws {
        let folder = try TemporaryFolder()
        try folder.write(TinyModelFile("llama").bytes, to: "tiny.gguf")
        let model = "\(folder.path)/tiny.gguf"
        let words = ["run", model, "abc", "--raw"] + options
        let outcome = try await Program.run(.path(Program.path), words, input: .none)
        expectOneLine(outcome, naming: model)
        #expect(outcome.errors.contains(numbers), "\(outcome.errors)")
    }

    @Test(arguments: ["run", "show", "tokenize", "bench"])
    func missingFileIsOneLineNamingIt(command: String) async throws {
        let outcome = try await Program.run(command, "/nonexistent/model.gguf", input: "x")
        expectOneLine(outcome, naming: "/nonexistent/model.gguf")
    }

    @Test func malformedFileIsOneLineNamingIt() async throws {
        let file = Program.root.appending(path: "Fixtures/gguf/malformed/tensor-count-huge.gguf").path()
        expectOneLine(try await Program.run("show", file), naming: "tensor-count-huge.gguf")
    }

    @Test func unknownKernelTierIsAnErrorListingTheKnown() async throws {
        let result = try await Subprocess.run(
            .path(Program.path),
            arguments: ["info"],
            environment: Program.environment.updating(["APUS_KERNELS": "mmx"]),
            output: .string(limit: 1 << 16),
            error: .string(limit: 1 << 16)
        )
        #expect(result.terminationStatus == .exited(1))
        #expect(result.standardError.contains("mmx"))
        #expect(result.standardError.contains("scalar"))
    }

    private func expectOneLine(_ outcome: Program.Outcome, naming name: String) {
        #expect(outcome.status == .exited(1))
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.split(separator: "\n").count == 1)
        #expect(outcome.errors.contains(name))
    }
}
