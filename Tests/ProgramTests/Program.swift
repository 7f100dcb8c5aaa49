import ApusTestSupport
import Foundation
import Subprocess
import SystemPackage
import Testing

/// The built program, run as a user runs it.
enum Program {
    /// What a run left.
    struct Outcome {
        let output: String
        let errors: String
        let status: TerminationStatus
    }

    /// The program, which the build puts beside the tests.
    static let path: FilePath = {
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return FilePath(tests).removingLastComponent().appending("apus")
    }()

    /// The repository's folder.
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Variables that keep runs alike on every machine, and off the network and the user's own store.
    static let environment = Environment.inherit.updating([
        "COLUMNS": "100", "HF_HUB_OFFLINE": "1", "APUS_HOME": "/nonexistent/apus-tests",
    ])

    /// Runs the program to its end.
    static func run(_ arguments: String..., input: String = "") async throws -> Outcome {
        // A program that ends without reading a pipe would break it under the writer: no input is no pipe.
        if input.isEmpty { return try await run(.path(path), arguments, input: .none) }
        return try await run(.path(path), arguments, input: .string(input))
    }

    /// Runs a program, this one or a shell around it, to its end.
    static func run(
        _ executable: Executable,
        _ arguments: [String],
        input: some InputProtocol,
        environment: Environment = Program.environment,
        outputLimit: Int = 1 << 24
    ) async throws -> Outcome {
        let result = try await Subprocess.run(
            executable,
            arguments: Arguments(arguments),
            environment: environment,
            input: input,
            output: .string(limit: outputLimit),
            error: .string(limit: 1 << 20)
        )
        return Outcome(
            output: result.standardOutput,
            errors: result.standardError,
            status: result.terminationStatus
        )
    }

    /// The default model's file; nil, and with CI=true a failed test, if it was not fetched.
    static let model: String? = {
        let model = RealModel.smolLM2
        if FetchedData.path("\(model).gguf") != nil { return model.path }
        if FetchedData.isRequired { Issue.record("\(model.path) is missing: run tools/test-data") }
        return nil
    }()
}
