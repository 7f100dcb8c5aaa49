import ApusTestSupport
import Foundation
import SystemPackage
import Testing

/// The program run with an eye on its memory.
enum MeasuredProgram {
    struct Outcome: Sendable {
        let output: String
        let errors: String
        private let measures: Measures

        fileprivate init(output: String, errors: String, measures: Measures) {
            self.output = output
            self.errors = errors
            self.measures = measures
        }

        /// As `wait` gives it.
        var status: Int32 { measures.status }
        /// The most pages it had resident, its own and those of mapped files, in bytes.
        var peakResident: Int { measures.peakResident }
        /// The most pages of its own that anybody saw.
        var peakAnonymous: Int { measures.peakAnonymous }
        /// The exit code; nil if a signal ended it.
        var exitCode: Int32? { status & 0x7F == 0 ? status >> 8 & 0xFF : nil }
    }

    fileprivate struct Measures: Codable {
        let status: Int32
        let peakResident: Int
        let peakAnonymous: Int
    }

    static func run(_ arguments: [String]) throws -> Outcome {
        let folder = try TemporaryFolder()
        for name in ["output", "errors", "measures"] { try folder.write([], to: name) }
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "measured.py").path()
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", script, "\(folder.path)/measures", Program.path.string] + arguments
        process.environment = ["HF_HUB_OFFLINE": "1", "APUS_HOME": "/nonexistent", "PATH": "/usr/bin:/bin"]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: "\(folder.path)/output")
        process.standardError = FileHandle(forWritingAtPath: "\(folder.path)/errors")
        try process.run()
        process.waitUntilExit()
        let measures = try Data(contentsOf: URL(filePath: "\(folder.path)/measures"))
        return Outcome(
            output: try String(contentsOfFile: "\(folder.path)/output", encoding: .utf8),
            errors: try String(contentsOfFile: "\(folder.path)/errors", encoding: .utf8),
            measures: try JSONDecoder().decode(Measures.self, from: measures)
        )
    }
}
