import ApusTestSupport
import Foundation
import Testing

/// A running `index_server.py`.
final class WheelServer: @unchecked Sendable {
    // Sound because the process is configured in init and afterwards only terminated.
    private let process = Process()
    private let input = Pipe()
    let folder: TemporaryFolder
    let address: String
    let wheelName = "tiny_model-1.0-py3-none-any.whl"

    init() throws {
        folder = try TemporaryFolder()
        let log = try folder.write("", to: "log")
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", Self.script("index_server.py"), folder.path]
        process.standardInput = input
        process.standardOutput = FileHandle(forWritingAtPath: log)
        try process.run()
        var lines: [String] = []
        for _ in 0..<600 where lines.isEmpty {
            usleep(50_000)
            lines = try Self.lines(log)
        }
        address = "http://127.0.0.1:\(try #require(lines.first, "the server did not start"))/"
    }

    deinit {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }

    /// Adds a wheel with one data file.
    func addWheel(_ name: String, _ version: String, member: String, _ content: String) throws {
        let maker = Process()
        maker.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        maker.arguments =
            ["python3", Self.script("make_wheel.py"), folder.path, name, version, member]
            + [try folder.write(content, to: "content")]
        try maker.run()
        maker.waitUntilExit()
        try #require(maker.terminationStatus == 0)
    }

    /// Says what happens to the next requests for wheels; see the script.
    func fail(_ faults: String...) throws {
        try folder.write(faults.joined(separator: " "), to: "faults")
    }

    /// The requests for wheels so far, one line each.
    func requests() throws -> [String] { Array(try Self.lines("\(folder.path)/log").dropFirst()) }

    /// The whole lines of a file that may still grow.
    private static func lines(_ path: String) throws -> [String] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
            .dropLast().map(String.init)
    }

    private static func script(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/\(name)").path
    }
}
