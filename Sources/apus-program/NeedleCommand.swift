import Apus
import ApusCore
import ApusEval
import ApusStore
import ApusTensor
import ArgumentParser

/// `apus eval needle`: whether a model finds a sentence in a long text.
struct NeedleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "needle",
        abstract: "Measure whether a model finds a sentence again in a long text.",
        discussion: """
            A sentence with a number of five digits is put into a part of the text, at each of the depths, in prompts of \
            each of the lengths; the model is asked for the number and answers greedily. A base model, which has no chat \
            template, continues the sentence instead. The same seed asks the same questions, so another KV cache \
            (--kv) can be held against f16.

            Examples:
              apus eval needle qwen2.5-coder-0.5b --file wikitext2-test.txt
              apus eval needle ./model.gguf --file text.txt --lengths 2048,8192 --trials 5 --kv kivi2 --json
            """
    )

    @OptionGroup var target: ModelArgument
    @Option(help: "The text around the sentence.")
    var file: String
    @Option(help: ArgumentHelp("Tokens of the prompts.", valueName: "counts"))
    var lengths = Numbers([512, 1024, 2048])
    @Option(help: ArgumentHelp("Where the sentence stands, in percent of the text.", valueName: "percents"))
    var depths = Numbers([0, 25, 50, 75, 100])
    @Option(help: "Questions for each length and depth.")
    var trials = 2
    @Option(help: "What the random choices follow from.")
    var seed: UInt64 = 1
    @Option(help: "Compute threads (default: as many as affinity and CPU quota allow).")
    var threads: Int?
    @Option(help: "How keys and values are stored.")
    var kv = KVType.f16
    @Option(help: "Round float weights to this type while loading.")
    var quantize: ElementType?
    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        try lengths.check("lengths", in: 64...1_048_576)
        try depths.check("depths", in: 0...100)
        guard (1...1000).contains(trials) else {
            throw ValidationError("--trials: expected 1 to 1000, found \(trials)")
        }
    }

    func run() async throws {
        let text = try Terminal.readFile(file)
        let path = try await target.resolve().path
        let longest = (lengths.values.max() ?? 0) + NeedleTest.answerTokenCount
        let options = ModelOptions(threadCount: threads, contextLength: longest, kvType: kv, quantization: quantize)
        let found: [NeedleTest.Outcome] = try await Terminal.cancellingOnInterrupt {
            try await outcomes(of: NeedleTest(Model(path: path, options: options), text: text, seed: seed))
        }
        let report = NeedleReport(lengths: lengths.values, depths: depths.values, outcomes: found)
        Terminal.write(json ? report.json : report.text)
    }

    private func outcomes(of test: NeedleTest) async throws -> [NeedleTest.Outcome] {
        let places = lengths.values.flatMap { length in
            depths.values.map { NeedleTest.Place(length: length, depth: $0) }
        }
        // The longest first: what does not fit is found at once.
        for length in lengths.values.sorted(by: >) {
            _ = try test.prompt(at: .init(length: length, depth: 0), trial: 0)
        }
        var outcomes: [NeedleTest.Outcome] = []
        defer { Terminal.showProgress() }
        for place in places {
            for trial in 0..<trials {
                try Task.checkCancellation()
                let found = outcomes.count { $0.isFound }
                Terminal.showProgress(
                    "question \(outcomes.count + 1) of \(places.count * trials): \(place.length) tokens, "
                        + "\(place.depth) % deep; found \(found)"
                )
                outcomes.append(try await test.outcome(at: place, trial: trial))
            }
        }
        return outcomes
    }
}

/// Numbers with commas between them.
struct Numbers: ExpressibleByArgument {
    let values: [Int]

    init(_ values: [Int]) { self.values = values }

    init?(argument: String) {
        let values = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard !values.isEmpty, !values.contains(nil) else { return nil }
        self.values = values.compactMap(\.self)
    }

    var defaultValueDescription: String { values.map(String.init).joined(separator: ",") }

    /// Refuses numbers out of range and ones that come twice.
    func check(_ name: String, in range: ClosedRange<Int>) throws {
        if let wrong = values.first(where: { !range.contains($0) }) {
            throw ValidationError("--\(name): expected \(range.lowerBound) to \(range.upperBound), found \(wrong)")
        }
        guard Set(values).count == values.count else {
            throw ValidationError("--\(name): expected different numbers, found \(defaultValueDescription)")
        }
    }
}
