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
