import ApusCore
import ApusFormats
import Foundation
import Subprocess
import SystemPackage
import Testing

#if canImport(Glibc)
import Glibc
#endif

@Suite struct InterruptionTests {
    @Test func interruptEndsAnAnswerAsAnInterrupt() async throws {
        guard let model = Program.model else { return }
        let result = try await Subprocess.run(
            .path(Program.path),
            arguments: ["run", model, "Count to ten thousand.", "--temperature", "0"],
            environment: Program.environment,
            input: .none,
            output: .sequence,
            error: .string(limit: 1 << 16)
        ) { execution in
            var isFirst = true
            for try await _ in execution.standardOutput {
                if isFirst { try execution.send(signal: .interrupt) }
                isFirst = false
            }
        }
        #expect(result.terminationStatus == .signaled(SIGINT))
        #expect(!result.standardError.contains("error"))
    }

    @Test func interruptBreaksOffOneAnswerOfAChat() async throws {
        guard let model = Program.model else { return }
        let saved = NSTemporaryDirectory() + "/apus-chat-\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: saved) }
        let result = try await Subprocess.run(
            .path(Program.path),
            arguments: ["chat", model, "--temperature", "0", "--max-tokens", "1500"],
            environment: Program.environment,
            input: .string("Write a story of 2000 words about a dragon.\nWhat did I ask?\n/save \(saved)\n"),
            output: .sequence,
            error: .string(limit: 1 << 16)
        ) { execution in
            var isFirst = true
            for try await _ in execution.standardOutput {
                if isFirst { try execution.send(signal: .interrupt) }
                isFirst = false
            }
        }
        #expect(result.terminationStatus == .exited(0))
        let messages = try JSONValue(parsing: MappedFile(path: saved).bytes).elements().map {
            try $0.member("content").string()
        }
        try #require(messages.count == 4)
        let brokenOff = messages[1]
        #expect((1...1000).contains(brokenOff.utf8.count))
    }

    @Test func closedPipeEndsQuietly() async throws {
        guard let model = Program.model else { return }
        let script = #""$0" run "$1" "Count to ten thousand." --temperature 0 | head -c 4; echo " ${PIPESTATUS[0]}""#
        let result = try await Subprocess.run(
            .name("bash"),
            arguments: Arguments(["-c", script, Program.path.string, model]),
            environment: Program.environment,
            output: .string(limit: 1 << 16),
            error: .string(limit: 1 << 16)
        )
        let status = result.standardOutput.split(whereSeparator: \.isWhitespace).last
        // Either our own end, or the signal that a shell expects here.
        #expect(status == "0" || status == "\(128 + SIGPIPE)")
        #expect(result.standardError.isEmpty)
    }
}
