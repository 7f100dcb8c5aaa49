import ApusFormats
import ApusTestSupport
import Foundation
import Subprocess
import Testing

/// Programs that a model completes run locked in.
///
/// Here they are whole already: the model adds one token to a comment.
@Suite struct HumanEvalCommandTests {
    private struct Task {
        let name: String
        let body: String
        let test: String
        let verdict: String

        /// The task as HumanEval writes it.
        var line: String {
            let members = [
                ("task_id", name), ("prompt", "def solution():\n\(body)\n    # The answer is"),
                ("entry_point", "solution"),
                ("test", "def check(candidate):\n\(test)\n"),
            ]
            var writer = JSONWriter()
            writer.object { writer in for (key, value) in members { writer.member(key, value) } }
            return writer.text
        }
    }

    private static func raising(_ error: String, _ statement: String) -> String {
        """
            import os, socket
            try: \(statement)
            except \(error): return
            assert False
        """
    }

    private static let tasks = [
        Task(name: "right", body: "    return 42", test: "    assert candidate() == 42", verdict: "passed"),
        Task(name: "wrong", body: "    return 41", test: "    assert candidate() == 42", verdict: "wrong answer"),
        Task(name: "broken", body: "    return 1 / 0", test: "    candidate()", verdict: "error"),
        Task(name: "busy", body: "    while True: pass", test: "    candidate()", verdict: "timed out"),
        Task(name: "asleep", body: "    import time; time.sleep(60)", test: "    candidate()", verdict: "timed out"),
        Task(name: "leaving", body: "    import os; os._exit(0)", test: "    candidate()", verdict: "no result"),
        Task(name: "exiting", body: "    import sys; sys.exit(0)", test: "    candidate()", verdict: "error"),
        Task(
            name: "pretending",
            body: "    import os; os.write(1, b'passed'); os._exit(0)",
            test: "    candidate()",
            verdict: "no result"
        ),
        Task(
            name: "network",
            body: "    pass",
            test: raising("OSError", "socket.create_connection(('127.0.0.1', 9), 1)"),
            verdict: "passed"
        ),
        Task(name: "files", body: "    pass", test: raising("OSError", "open('/etc/passwd')"), verdict: "passed"),
        Task(name: "writing", body: "    pass", test: raising("OSError", "open('/usr/apus', 'w')"), verdict: "passed"),
        Task(name: "secrets", body: "    pass", test: raising("KeyError", "os.environ['HOME']"), verdict: "passed"),
        Task(name: "memory", body: "    pass", test: raising("MemoryError", "bytearray(4 << 30)"), verdict: "passed"),
        Task(
            name: "disk",
            body: "    pass",
            test: raising("OSError", "open('/tmp/x', 'wb', 0).write(bytes(2 << 20)) == 2 << 20 or os.stat('/none')"),
            verdict: "passed"
        ),
    ]

    /// Whether this machine allows what the sandbox needs.
    private static func canLockIn() async throws -> Bool {
        do {
            let words = ["--unshare-all", "--ro-bind", "/", "/", "/usr/bin/python3", "-c", "pass"]
            let result = try await Subprocess.run(
                .name("bwrap"),
                arguments: .init(words),
                output: .discarded,
                error: .discarded
            )
            return result.terminationStatus == .exited(0)
        } catch is SubprocessError {
            return false
        }
    }

    @Test func programsAreLockedInAndJudged() async throws {
        guard let model = Program.model else { return }
        let folder = try TemporaryFolder()
        let file = try folder.write(Self.tasks.map(\.line).joined(separator: "\n"), to: "tasks.jsonl")
        let words = ["eval", "humaneval", model, "--tasks", file, "--max-tokens", "1", "--timeout", "2", "--json"]
        let outcome = try await Program.run(.path(Program.path), words, input: .none)
        guard try await Self.canLockIn() else {
            #expect(outcome.status == .exited(1) && outcome.errors.contains("apt install"), "\(outcome.errors)")
            return
        }
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        let report = try JSONValue(parsing: Array(outcome.output.utf8), name: "output")
        for (task, result) in zip(Self.tasks, try report.member("results").elements()) {
            let error = try result.memberIfPresent("error")?.string() ?? ""
            #expect(try result.member("verdict").string() == task.verdict, "\(task.name): \(error)")
        }
        #expect(try report.member("tasks").integer() == Self.tasks.count)
        #expect(try report.member("passed").integer() == Self.tasks.count { $0.verdict == "passed" })
    }

    @Test(arguments: [
        ("", "expected tasks, found none"), ("{\"task_id\": \"a\"}", "line 1"), ("\u{1F}\u{8B}", "JSON"),
        ("[]", "line 1"),
    ])
    func brokenTasksAreRefused(text: String, message: String) async throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(text, to: "tasks.jsonl")
        let outcome = try await Program.run("eval", "humaneval", "/nonexistent/model.gguf", "--tasks", file)
        #expect(outcome.status == .exited(1) && outcome.errors.contains(message), "\(outcome.errors)")
    }
}
