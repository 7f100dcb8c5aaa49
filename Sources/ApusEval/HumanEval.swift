import ApusCore
import ApusFormats

/// A task of HumanEval (Chen et al., "Evaluating Large Language Models Trained on Code", 2021): the beginning of a Python
/// function to be completed, and tests of the whole.
package struct HumanEvalTask: Sendable {
    package let name: String
    /// Signature and docstring.
    package let prompt: String
    private let entryPoint: String
    private let test: String

    /// What ends a completion (section 2.1): the next thing at the margin.
    package static let stop = ["\nclass", "\ndef", "\n#", "\nif", "\nprint", "\nassert", "\n```"]

    /// Reads the tasks' file, a JSON object a line.
    /// - Throws: `ApusError` (`malformedFile`) naming line and member.
    package static func tasks(in text: [UInt8], name: String) throws -> [HumanEvalTask] {
        guard !text.starts(with: [0x1F, 0x8B]) else {
            throw ApusError(.malformedFile, "\(name): expected lines of JSON, found gzip: unpack it with gunzip -k")
        }
        let lines = text.split(separator: UInt8(ascii: "\n")).filter { $0.contains { $0 > UInt8(ascii: " ") } }
        let tasks = try lines.enumerated().map { index, line in
            let value = try JSONValue(parsing: Array(line), name: "\(name), line \(index + 1)")
            return HumanEvalTask(
                name: try value.member("task_id").string(),
                prompt: try value.member("prompt").string(),
                entryPoint: try value.member("entry_point").string(),
                test: try value.member("test").string()
            )
        }
        guard !tasks.isEmpty else { throw ApusError(.malformedFile, "\(name): expected tasks, found none") }
        return tasks
    }

    /// The program that runs through if the completion is right.
    package func program(completion: String) -> String {
        "\(prompt)\(completion)\n\n\(test)\n\ncheck(\(entryPoint))\n"
    }
}
