import ApusTestSupport
import Foundation
import Testing

/// A running `hub_server.py`.
final class HubServer: @unchecked Sendable {
    // Sound because the process is configured in init and afterwards only terminated.
    private let process = Process()
    private let input = Pipe()
    private let log: FileHandle
    private let logPath: String
    private let folder: TemporaryFolder
    let endpoint: String

    init() throws {
        folder = try TemporaryFolder()
        logPath = "\(folder.path)/log"
        _ = FileManager.default.createFile(atPath: logPath, contents: nil)
        log = try #require(FileHandle(forWritingAtPath: logPath))
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
            "Fixtures/hub_server.py"
        )
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", script.path]
        process.standardInput = input
        process.standardOutput = log
        try process.run()
        var port: Substring?
        for _ in 0..<600 where port == nil {
            usleep(50_000)
            let lines = try String(contentsOfFile: logPath, encoding: .utf8).split(
                separator: "\n",
                omittingEmptySubsequences: false
            )
            if lines.count > 1 { port = lines[0].split(separator: " ").first }
        }
        endpoint = "http://127.0.0.1:\(try #require(port, "the server did not start"))"
    }

    deinit {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// The requests so far that touch a repository, one line each.
    func requests(of repository: String) throws -> [String] {
        try String(contentsOfFile: logPath, encoding: .utf8).split(separator: "\n").map(String.init)
            .filter { $0.contains("/\(repository)/") }
    }
}
