import ApusCore
import ApusStore
import Subprocess
import SystemPackage

/// Runs Python that nobody has read: without a network, without the user's files, and with bounded time and memory.
///
/// bubblewrap gives the process namespaces of its own, in which there is nothing but /usr, read-only, and an empty /tmp in memory;
/// `prlimit` bounds processor time, address space, file sizes and open files; `timeout` ends what sleeps.
struct PythonSandbox {
    /// How a program ended.
    enum Verdict: Equatable {
        case passed
        /// The exception that ended it.
        case raised(String)
        case timedOut
        /// It ended without a word: killed, or out by a way of its own.
        case vanished
    }

    /// Seconds a program may take.
    let seconds: Int

    private static let memoryByteCount = 1 << 30
    private static let fileByteCount = 1 << 20

    // The token comes back only behind the last line of the program: leaving early is no success.
    private static let harness = """
        import os, sys
        token = sys.stdin.readline().strip()
        source = sys.stdin.read()
        answer = os.dup(1)
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2): os.dup2(nothing, descriptor)
        try:
            exec(compile(source, "solution", "exec"), {})
            verdict = token
        except BaseException as error:
            verdict = type(error).__name__ + ": " + str(error)
        os.write(answer, verdict[:200].encode("utf-8", "replace"))
        os._exit(0)
        """

    /// Finds out whether programs can be locked in here.
    /// - Throws: `ApusError` (`unsupported`) with the remedy.
    func check() async throws {
        guard try await verdict(on: "assert 1 + 1 == 2") == .passed else {
            throw ApusError(
                .unsupported,
                "bwrap: cannot run /usr/bin/python3 in a namespace of its own: install it (apt install python3), and allow "
                    + "user namespaces (sysctl user.max_user_namespaces) or run as root"
            )
        }
    }

    /// How a program ends.
    /// - Throws: `ApusError` (`notFound`) if bubblewrap is not installed; `CancellationError`.
    func verdict(on program: String) async throws -> Verdict {
        let token = "passed \(UInt64.random(in: .min ... .max))"
        let limits = [
            "--cpu=\(seconds)", "--as=\(Self.memoryByteCount)", "--fsize=\(Self.fileByteCount)", "--nofile=64",
            "--core=0",
        ]
        let lockedIn =
            ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--ro-bind", "/usr", "/usr"]
            + ["lib", "lib64", "bin"].flatMap { ["--symlink", "usr/\($0)", "/\($0)"] }
            + ["--proc", "/proc", "--dev", "/dev", "--size", "\(16 << 20)", "--tmpfs", "/tmp", "--chdir", "/tmp"]
        do {
            let result = try await Subprocess.run(
                .name("timeout"),
                arguments: .init(
                    ["--signal=KILL", "\(seconds + 1)"] + lockedIn + ["prlimit"] + limits
                        + ["--", "/usr/bin/python3", "-I", "-S", "-c", Self.harness]
                ),
                input: .fileDescriptor(try Self.file(holding: "\(token)\n\(program)"), closeAfterSpawningProcess: true),
                output: .string(limit: 4096),
                error: .discarded
            )
            try Task.checkCancellation()
            switch (result.terminationStatus, result.standardOutput) {
            case (.exited(0), token): return .passed
            case (.exited(0), let text) where !text.isEmpty: return .raised(text)
            // timeout ends itself by the signal it sends; the last is the limit of processor time.
            case (.exited(124), _), (.exited(137), _), (.signaled(9), _), (.exited(152), _): return .timedOut
            case (.exited(127), _): throw missing
            default: return .vanished
            }
        } catch let error as SubprocessError where error.code == .executableNotFound {
            throw missing
        }
    }

    /// A file without a name that holds a text, to be read from its start: writing to a pipe whose reader has gone would end
    /// this program by a signal.
    private static func file(holding text: String) throws -> FileDescriptor {
        let path = "/tmp/apus-\(UInt64.random(in: .min ... .max))"
        do {
            let file = try FileDescriptor.open(
                FilePath(path),
                .readWrite,
                options: [.create, .exclusiveCreate, .noFollow, .closeOnExec],
                permissions: .ownerReadWrite
            )
            try FileSystem.remove(path)
            try file.writeAll(Array(text.utf8))
            try file.seek(offset: 0, from: .start)
            return file
        } catch let error as Errno {
            throw ApusError(.inputOutput, "\(path): cannot write: \(error)")
        }
    }

    private var missing: ApusError {
        ApusError(
            .notFound,
            "bwrap: not found, but programs that a model wrote run nowhere else: install it: apt install bubblewrap"
        )
    }
}
