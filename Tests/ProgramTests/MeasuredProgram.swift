import Foundation
import SystemPackage
import Testing

/// The program run with an eye on its memory.
enum MeasuredProgram {
    struct Outcome: Sendable {
        let output: String
        let errors: String
        /// As `wait` gives it.
        let status: Int32
        /// The most pages it had resident, its own and those of mapped files, in bytes.
        let peakResident: Int
        /// The most pages of its own that anybody saw.
        let peakAnonymous: Int

        /// The exit code; nil if a signal ended it.
        var exitCode: Int32? { status & 0x7F == 0 ? status >> 8 & 0xFF : nil }
    }

    static func run(_ arguments: [String]) throws -> Outcome {
        let folder = FileManager.default.temporaryDirectory.appending(path: "apus-measured-\(UUID())").path()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, folder + "/output", O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, folder + "/errors", O_WRONLY | O_CREAT, 0o600)
        let settings = ["HF_HUB_OFFLINE=1", "APUS_HOME=/nonexistent", "PATH=/usr/bin:/bin"]
        let words = ([Program.path.string] + arguments).map { $0.withCString { strdup($0) } } + [nil]
        let variables = settings.map { $0.withCString { strdup($0) } } + [nil]
        defer { for text in words + variables { free(text) } }
        var child = pid_t()
        let code = posix_spawn(&child, Program.path.string, &actions, nil, words, variables)
        try #require(code == 0)
        var (status, usage, peakAnonymous) = (Int32(), rusage(), 0)
        while wait4(child, &status, WNOHANG, &usage) == 0 {
            peakAnonymous = max(peakAnonymous, anonymousByteCount(child))
            usleep(1000)
        }
        return Outcome(
            output: try String(contentsOfFile: folder + "/output", encoding: .utf8),
            errors: try String(contentsOfFile: folder + "/errors", encoding: .utf8),
            status: status,
            peakResident: usage.ru_maxrss * 1024,
            peakAnonymous: peakAnonymous
        )
    }

    private static func anonymousByteCount(_ process: pid_t) -> Int {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
            let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
        else { return 0 }
        return kibibytes * 1024
    }
}
