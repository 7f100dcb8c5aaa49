import Apus
import ApusCore
import ApusEval
import ApusStore
import ApusTensor
import ArgumentParser

/// `apus bench`: speed beside the machine's limits.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure prompt processing and decoding, and what share of the machine's limits they reach.",
        discussion: """
            Decoding follows the prompt, computes every logit and alternates with the measurement of memory reads. \
            Then the matrix products of every element type are measured on every kernel tier this CPU has, in about \
            ten seconds; without a model only these.

            Examples:
              apus bench
              apus bench smollm2 --no-kernels
              apus bench ./model.gguf --prompt 512 --generate 128 --repeat 5 --json
              APUS_KERNELS=avx2 apus bench smollm2 --threads 1
            """
    )

    @Argument(help: ArgumentHelp(ModelArgument.help, valueName: "model"))
    var target: String?
    @Flag(help: ModelArgument.offlineHelp)
    var offline = false
    @Option(help: "Tokens of the prompt.")
    var prompt = 512
    @Option(help: "Tokens to generate.")
    var generate = 128
    @Option(help: "Sequences at once.")
    var batch = 1
    @Option(help: "How often to measure; the median counts.")
    var `repeat` = 5
    @Flag(inversion: .prefixedNo, help: "Measure the kernels of every tier as well.")
    var kernels = true
    @Flag(help: "Print one JSON object.")
    var json = false
    @OptionGroup(title: "Model") var model: ModelOptionArguments

    func validate() throws {
        guard target != nil || kernels else {
            throw ValidationError("nothing to measure: give a model or leave out --no-kernels")
        }
        for (name, value, most) in [
            ("prompt", prompt, 1 << 20), ("generate", generate, 1 << 20), ("batch", batch, 64),
            ("repeat", `repeat`, 1000),
        ]
        where !(1...most).contains(value) {
            throw ValidationError("--\(name): expected 1 to \(most), found \(value)")
        }
    }

    func run() async throws {
        let speed = if let target { try measure(path: try await path(of: target)) } else { nil as BenchReport? }
        let threads = model.threads ?? ProcessorCount.available
        let products = kernels ? KernelReport(try measureKernels(threadCount: threads), threadCount: threads) : nil
        Terminal.showProgress()
        guard json else {
            Terminal.write([speed?.text, products?.text].compactMap(\.self).joined(separator: "\n"))
            return
        }
        var writer = JSONWriter(.pretty)
        writer.object { writer in
            speed?.write(into: &writer)
            products?.write(into: &writer)
        }
        Terminal.write(writer.text + "\n")
    }

    private func path(of target: String) async throws -> String {
        try await ModelArgument.resolve(target, isOffline: offline).path
    }

    private func measure(path: String) throws -> BenchReport {
        var options = model.options
        let needed = prompt + generate + 2
        if options.contextLength == nil { options.contextLength = needed }
        options.contextCount = batch
        options.maximumSequenceCount = batch
        let block = options.kvType.blockLength
        options.kvPositionCount = batch * ((needed + block - 1) / block * block)
        let loaded = try LoadedModel(path: path, options: options)
        let work = SpeedBenchmark.Work(promptCount: prompt, generateCount: generate, batchCount: batch)
        let benchmark = try SpeedBenchmark(loaded, work: work)
        let rounds = (0..<`repeat`).map { index in
            Terminal.showProgress("round \(index + 1) of \(`repeat`)")
            return benchmark.measure()
        }
        return BenchReport(path: path, compute: loaded.compute, benchmark: benchmark, rounds: rounds)
    }

    private func measureKernels(threadCount: Int) throws -> [KernelBenchmark.TierRates] {
        try KernelTier.available.reversed().map { tier in
            Terminal.showProgress("kernels of tier \(tier.rawValue)")
            return try KernelBenchmark.measure(tier: tier, threadCount: threadCount)
        }
    }
}
