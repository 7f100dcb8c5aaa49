import ApusTestSupport
import Foundation
import Subprocess
import SystemPackage
import Testing

/// What happens around the program while it works: full disks, missing rights, files that change, impatient users.
@Suite(.serialized) struct FailureTests {
    /// A model that says "!" for as long as it may, each time reading its embedding from the file.
    private static func endlessModel(in folder: TemporaryFolder) throws -> String {
        var file = TinyModelFile("llama")
        if case .strings(var tokens)? = file["tokenizer.ggml.tokens"] {
            tokens[0] = Array("!".utf8)
            file["tokenizer.ggml.tokens"] = .strings(tokens)
        }
        file["tokenizer.ggml.token_type"] = nil
        file["tokenizer.ggml.bos_token_id"] = nil
        file["tokenizer.ggml.eos_token_id"] = .uint32(39)
        file["llama.context_length"] = .uint32(1 << 20)
        file["tokenizer.chat_template"] = .string("{{ messages[-1].content }}")
        try folder.write(file.bytes, to: "endless.gguf")
        return "\(folder.path)/endless.gguf"
    }

    private static let greedy = ["--temperature", "0", "--memory", "1GB"]

    /// Runs a script with the program as `$0`.
    private func bash(_ script: String, _ arguments: String...) async throws -> Program.Outcome {
        let words = ["-c", script, Program.path.string] + arguments
        return try await Program.run(.name("bash"), words, input: .none, outputLimit: 1 << 20)
    }

    private func expectOneLine(_ outcome: Program.Outcome, _ parts: String...) {
        #expect(outcome.status == .exited(1), "\(outcome)")
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        for part in parts { #expect(outcome.errors.contains(part), "\(outcome.errors)") }
    }

    @Test(arguments: [#""$0" info > /dev/full"#, #""$0" run "$1" abc --temperature 0 --memory 1GB > /dev/full"#])
    func aFullDiskUnderTheOutputIsAnError(script: String) async throws {
        let folder = try TemporaryFolder()
        let outcome = try await bash(script, try Self.endlessModel(in: folder))
        expectOneLine(outcome, "standard output", "No space left on device")
    }

    @Test func aFileSizeLimitUnderTheOutputIsAnError() async throws {
        let folder = try TemporaryFolder()
        let script = #"trap "rm -f $2" EXIT; ulimit -f 1; "$0" run "$1" abc --temperature 0 --memory 1GB > "$2""#
        let outcome = try await bash(script, try Self.endlessModel(in: folder), "\(folder.path)/output")
        expectOneLine(outcome, "standard output", "File too large")
    }

    @Test(arguments: ["run", "show", "tokenize"]) func aFileWithoutRightsIsAnError(command: String) async throws {
        let folder = try TemporaryFolder()
        let model = try Self.endlessModel(in: folder)
        try #require(chmod(model, 0) == 0)
        // Root reads everything unless it gives that up.
        let asUser = geteuid() == 0 ? "setpriv --bounding-set=-dac_override,-dac_read_search " : ""
        let outcome = try await bash("echo abc | \(asUser)\"$0\" \(command) \"$1\"", model)
        expectOneLine(outcome, model, "Permission denied")
    }

    @Test(arguments: ["chat", "run", "bench", "show", "eval perplexity --file /etc/passwd"])
    func aFolderThatIsNoModelIsAnError(command: String) async throws {
        let folder = try TemporaryFolder()
        expectOneLine(try await bash("echo abc | \"$0\" \(command) \"$1\"", folder.path), folder.path)
    }

    @Test func aModelDeletedWhileItRunsGoesOn() async throws {
        let folder = try TemporaryFolder()
        let model = try Self.endlessModel(in: folder)
        let (status, errors, output) = try await answering(model, ["--max-tokens", "2000"]) { _ in unlink(model) }
        #expect(status == .exited(0), "\(errors)")
        #expect(errors.isEmpty)
        #expect(output >= 2000)
    }

    @Test func aModelTruncatedWhileItRunsIsAnError() async throws {
        let folder = try TemporaryFolder()
        let model = try Self.endlessModel(in: folder)
        let (status, errors, _) = try await answering(model, []) { _ in truncate(model, 0) }
        #expect(status == .exited(1), "\(status)")
        #expect(errors.split(separator: "\n").count == 1, "\(errors)")
        #expect(errors.contains(model) && errors.contains("changed while in use"), "\(errors)")
    }

    @Test func interruptEndsAnAnswer() async throws {
        let folder = try TemporaryFolder()
        let (status, errors, _) = try await answering(Self.endlessModel(in: folder), []) { kill($0, SIGINT) }
        #expect(status == .signaled(SIGINT))
        #expect(errors.isEmpty)
    }

    /// Runs until the first output, then does something to it.
    private func answering(
        _ model: String,
        _ arguments: [String],
        _ body: @escaping @Sendable (pid_t) -> Int32
    ) async throws -> (status: TerminationStatus, errors: String, outputCount: Int) {
        let result = try await Subprocess.run(
            .path(Program.path),
            arguments: Arguments(["run", model, "abc"] + Self.greedy + arguments),
            environment: Program.environment,
            input: .none,
            output: .sequence,
            error: .string(limit: 1 << 16)
        ) { execution in
            var count = 0
            for try await part in execution.standardOutput {
                if count == 0 { _ = body(execution.processIdentifier.value) }
                count += part.count
            }
            return count
        }
        return (result.terminationStatus, result.standardError, result.closureResult)
    }

    @Test(arguments: ["bench", "eval perplexity --file \"$2\" --context 64"])
    func interruptEndsAMeasurement(command: String) async throws {
        let folder = try TemporaryFolder()
        try folder.write(Array(repeating: UInt8(ascii: "a"), count: 4 << 20), to: "text")
        let script = "\"$0\" \(command) \"$1\" & sleep 1; kill -INT $!; wait $!; echo $?"
        // A shell without job control starts background programs deaf to interrupts.
        let outcome = try await bash("set -m; " + script, try Self.endlessModel(in: folder), "\(folder.path)/text")
        #expect(outcome.output == "130\n", "\(outcome)")
    }

    @Test func aReaderThatLeavesEndsTheAnswerQuietly() async throws {
        let folder = try TemporaryFolder()
        let script = #""$0" run "$1" abc --temperature 0 --memory 1GB | head -c 4 > /dev/null; echo "${PIPESTATUS[0]}""#
        let outcome = try await bash(script, try Self.endlessModel(in: folder))
        #expect(outcome.output == "0\n" || outcome.output == "141\n", "\(outcome)")
        #expect(outcome.errors.isEmpty)
    }

    @Test func interruptInAConversationEndsTheAnswerOnly() async throws {
        let folder = try TemporaryFolder()
        let model = try Self.endlessModel(in: folder)
        let script = """
            set -m; mkfifo "$2"; "$0" chat "$1" --temperature 0 --memory 1GB < "$2" > "$3" & exec 3> "$2"
            echo abc >&3
            until [ -s "$3" ]; do sleep 0.05; done
            kill -INT $!; echo /bye >&3; wait $!; echo $?; rm -f "$2" "$3"
            """
        let outcome = try await bash(script, model, "\(folder.path)/input", "\(folder.path)/output")
        #expect(outcome.output == "0\n", "\(outcome)")
    }
}
