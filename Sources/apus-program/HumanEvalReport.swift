import Apus
import ApusEval

/// What `apus eval humaneval` prints.
struct HumanEvalReport {
    /// A task, what the model wrote, and what came of it.
    struct Result {
        let task: String
        let completion: String
        let verdict: PythonSandbox.Verdict
    }

    let results: [Result]

    private var proportion: Proportion {
        var proportion = Proportion()
        for result in results { proportion.add(result.verdict == .passed) }
        return proportion
    }

    /// Lines for people.
    var text: String {
        let (share, interval) = (proportion.value, proportion.interval)
        func percent(_ value: Double) -> String { "\(JSONRounding.thousandths(value * 100)) %" }
        let others = ["wrong answer", "error", "timed out", "no result"].compactMap { name in
            let count = results.count { $0.verdict.name == name }
            return count > 0 ? "\(name) \(count)" : nil
        }
        return "pass@1  \(percent(share)) (\(percent(interval.lowerBound)) to \(percent(interval.upperBound))), "
            + "\(proportion.successCount) of \(proportion.trialCount)\n"
            + (others.isEmpty ? "" : "        \(others.joined(separator: ", "))\n")
    }

    /// One JSON object.
    var json: String {
        var writer = JSONWriter(.pretty)
        writer.object { writer in
            writer.measurement("pass_at_1", proportion.value)
            writer.measurement("pass_at_1_low", proportion.interval.lowerBound)
            writer.measurement("pass_at_1_high", proportion.interval.upperBound)
            writer.member("passed", proportion.successCount)
            writer.member("tasks", proportion.trialCount)
            writer.arrayMember("results") { writer in
                for result in results {
                    writer.object { writer in
                        writer.member("task_id", result.task)
                        writer.member("verdict", result.verdict.name)
                        if case .raised(let error) = result.verdict { writer.member("error", error) }
                        writer.member("completion", result.completion)
                    }
                }
            }
        }
        return writer.text + "\n"
    }
}

extension PythonSandbox.Verdict {
    /// The verdict in words: a failed assertion of the tests is a wrong answer.
    fileprivate var name: String {
        switch self {
        case .passed: "passed"
        case .raised(let error) where error.hasPrefix("AssertionError"): "wrong answer"
        case .raised: "error"
        case .timedOut: "timed out"
        case .vanished: "no result"
        }
    }
}
