import Apus
import ApusCore
import ApusEval
import ApusStore
import ApusTensor
import ArgumentParser

/// `apus eval humaneval`: how many small programs a model gets right.
struct HumanEvalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "humaneval",
        abstract: "Measure how many functions of HumanEval a model completes correctly.",
        discussion: """
            The model continues each function's beginning greedily, as text, up to the next thing at the margin; the task's \
            tests decide (pass@1). Tests run one by one in a sandbox made by bubblewrap (apt install bubblewrap): no network, \
            no files of yours, 1 GiB of memory, --timeout seconds. Without it nothing is run.

            The file is HumanEval.jsonl of github.com/openai/human-eval, unpacked.

            Examples:
              apus eval humaneval qwen2.5-coder-0.5b --tasks HumanEval.jsonl
              apus eval humaneval ./model.Q4_K_M.gguf --tasks HumanEval.jsonl --limit 20 --kv kivi4 --json
            """
    )

    @OptionGroup var target: ModelArgument
    @Option(help: ArgumentHelp("The tasks, a JSON object a line.", valueName: "file"))
    var tasks: String
    @Option(help: "How many tasks, from the first on (default: all).")
    var limit: Int?
    @Option(help: "Seconds that the tests of a task may take.")
    var timeout = 10
    @Option(help: "The most tokens of a completion.")
    var maxTokens = 512
    @Option(help: "Compute threads (default: as many as affinity and CPU quota allow).")
    var threads: Int?
    @Option(help: "How keys and values are stored.")
    var kv = KVType.f16
    @Option(help: "Round float weights to this type while loading.")
    var quantize: ElementType?
    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        for (name, value, most) in [
            ("limit", limit ?? 1, Int.max), ("timeout", timeout, 3600), ("max-tokens", maxTokens, 1 << 20),
        ]
        where !(1...most).contains(value) {
            throw ValidationError("--\(name): expected \(most == .max ? "1 or more" : "1 to \(most)"), found \(value)")
        }
    }

    func run() async throws {
        let all = try HumanEvalTask.tasks(in: Terminal.readFile(tasks), name: tasks)
        let sandbox = PythonSandbox(seconds: timeout)
        try await sandbox.check()
        let path = try await target.resolve().path
        let found: [HumanEvalReport.Result] = try await Terminal.cancellingOnInterrupt {
            try await results(of: Array(all.prefix(limit ?? all.count)), path: path, sandbox: sandbox)
        }
        let report = HumanEvalReport(results: found)
        Terminal.write(json ? report.json : report.text)
    }

    private func results(
        of tasks: [HumanEvalTask],
        path: String,
        sandbox: PythonSandbox
    ) async throws -> [HumanEvalReport.Result] {
        let options = ModelOptions(threadCount: threads, kvType: kv, quantization: quantize)
        let model = try Model(path: path, options: options)
        let generation = GenerationOptions(sampling: .greedy, maximumTokenCount: maxTokens, stop: HumanEvalTask.stop)
        var results: [HumanEvalReport.Result] = []
        defer { Terminal.showProgress() }
        for task in tasks {
            try Task.checkCancellation()
            let passed = results.count { $0.verdict == .passed }
            Terminal.showProgress("\(task.name), \(results.count + 1) of \(tasks.count); passed \(passed)")
            let completion = try await model.generate(task.prompt, options: generation).text()
            let verdict = try await sandbox.verdict(on: task.program(completion: completion))
            results.append(.init(task: task.name, completion: completion, verdict: verdict))
        }
        return results
    }
}
