import Apus
import ApusCore
import ApusEval
import ApusStore
import ArgumentParser

/// `apus bench`: speed beside the machine's limits.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure prompt processing and decoding, and what share of the machine's limits they reach.",
        discussion: """
            Decoding follows the prompt, computes every logit and alternates with the measurement of memory reads.

            Examples:
              apus bench smollm2
              apus bench ./model.gguf --prompt 512 --generate 128 --repeat 5 --json
              APUS_KERNELS=avx2 apus bench smollm2 --threads 1
            """
    )

    @OptionGroup var target: ModelArgument
    @Option(help: "Tokens of the prompt.")
    var prompt = 512
    @Option(help: "Tokens to generate.")
    var generate = 128
    @Option(help: "Sequences at once.")
    var batch = 1
    @Option(help: "How often to measure; the median counts.")
    var `repeat` = 5
    @Flag(help: "Print one JSON object.")
    var json = false
    @OptionGroup(title: "Model") var model: ModelOptionArguments

    func validate() throws {
        for (name, value, most) in [
            ("prompt", prompt, 1 << 20), ("generate", generate, 1 << 20), ("batch", batch, 64),
            ("repeat", `repeat`, 1000),
        ]
        where !(1...most).contains(value) {
            throw ValidationError("--\(name): expected 1 to \(most), found \(value)")
        }
    }

    func run() async throws {
        var options = model.options
        let path = try await target.resolve().path
        let needed = prompt + generate + 2
        if options.contextLength == nil { options.contextLength = needed }
        options.kvPositionCount = batch * ((needed + 63) / 64 * 64)
        let loaded = try LoadedModel(path: path, options: options)
        let work = SpeedBenchmark.Work(promptCount: prompt, generateCount: generate, batchCount: batch)
        let benchmark = try SpeedBenchmark(loaded, work: work)
        var rounds: [SpeedBenchmark.Round] = []
        for index in 0..<`repeat` {
            if Terminal.isErrorTerminal { Terminal.note("\r\u{1B}[Kround \(index + 1) of \(`repeat`)") }
            rounds.append(benchmark.measure())
        }
        if Terminal.isErrorTerminal { Terminal.note("\r\u{1B}[K") }
        let report = BenchReport(path: path, compute: loaded.compute, benchmark: benchmark, rounds: rounds)
        Terminal.write(json ? report.jsonText + "\n" : report.text)
    }
}

/// What a benchmark found.
private struct BenchReport {
    private let path: String
    private let tier: String
    private let threads: Int
    private let prefill: Spread
    private let decode: Spread
    private let readRate: Spread
    private let bandwidthShare: Spread
    private let dotPeak: Double
    private let fmaPeak: Double
    private let prefillShare: Double
    private let peakResidentByteCount: Int

    init(path: String, compute: Compute, benchmark: SpeedBenchmark, rounds: [SpeedBenchmark.Round]) {
        self.path = path
        tier = compute.kernels.tier.rawValue
        threads = compute.threadCount
        prefill = Spread(rounds.map(\.prefillRate))
        decode = Spread(rounds.map(\.decodeRate))
        readRate = Spread(rounds.flatMap(\.readRates).map { $0 / 1e9 })
        bandwidthShare = Spread(rounds.flatMap(\.bandwidthShares))
        dotPeak = benchmark.dotPeak / 1e9
        fmaPeak = benchmark.fmaPeak / 1e9
        prefillShare = benchmark.prefillShare(prefill.median)
        peakResidentByteCount = benchmark.peakResidentByteCount
    }

    var text: String {
        func number(_ value: Double) -> String { "\(JSONRounding.thousandths(value))" }
        func percent(_ value: Double) -> String { "\((value * 1000).rounded() / 10) %" }
        return """
            \(path) on \(Processor.name), \(tier), \(threads) threads
            prefill  \(number(prefill.median)) tokens/s (\(number(prefill.least)) to \(number(prefill.most))), \
            \(percent(prefillShare)) of the peak
            decode   \(number(decode.median)) tokens/s (\(number(decode.least)) to \(number(decode.most))), \
            \(percent(bandwidthShare.median)) of the read limit
            limits   read \(number(readRate.median)) GB/s, 8-bit dots \(number(dotPeak)) GMAC/s, \
            float FMA \(number(fmaPeak)) GMAC/s
            memory   \(ByteCount.text(peakResidentByteCount)) at most

            """
    }

    var jsonText: String {
        var writer = JSONWriter(.pretty)
        func member(_ key: String, _ value: Double, _ writer: inout JSONWriter) {
            writer.key(key)
            writer.value(JSONRounding.thousandths(value))
        }
        writer.object { writer in
            writer.key("model")
            writer.value(path)
            writer.key("cpu")
            writer.value(Processor.name)
            writer.key("tier")
            writer.value(tier)
            writer.key("threads")
            writer.value(threads)
            for (key, spread) in [("prefill_tps", prefill), ("decode_tps", decode)] {
                writer.key(key)
                writer.object { writer in
                    member("median", spread.median, &writer)
                    member("min", spread.least, &writer)
                    member("max", spread.most, &writer)
                }
            }
            member("read_gbps", readRate.median, &writer)
            member("dot_gmacs", dotPeak, &writer)
            member("fma_gmacs", fmaPeak, &writer)
            member("decode_bandwidth_share", bandwidthShare.median, &writer)
            member("prefill_dot_share", prefillShare, &writer)
            writer.key("peak_rss_bytes")
            writer.value(peakResidentByteCount)
        }
        return writer.text
    }
}

/// Median and extremes of some measurements.
private struct Spread {
    let median: Double
    let least: Double
    let most: Double

    init(_ values: [Double]) {
        let sorted = values.sorted()
        least = sorted.first ?? 0
        most = sorted.last ?? 0
        let middle = sorted.count / 2
        median = sorted.isEmpty ? 0 : sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
