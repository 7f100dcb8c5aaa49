import Apus
import ApusCore
import ApusEval

/// What a model's benchmark found.
struct BenchReport {
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
        dotPeak = benchmark.peaks.dots / 1e9
        fmaPeak = benchmark.peaks.fusedMultiplyAdds / 1e9
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

            """ + warning
    }

    /// A share above one means that the limit was measured too low.
    private var warning: String {
        let names = [("the peak", prefillShare), ("the read limit", bandwidthShare.median)].filter { $0.1 > 1.02 }
        return names.map { "warning: faster than \($0.0) as measured: a noisy machine or a wrong limit\n" }.joined()
    }

    /// The members of the JSON object.
    func write(into writer: inout JSONWriter) {
        writer.member("model", path)
        writer.member("cpu", Processor.name)
        writer.member("tier", tier)
        writer.member("threads", threads)
        for (key, spread) in [("prefill_tps", prefill), ("decode_tps", decode)] {
            writer.key(key)
            writer.object { writer in
                writer.measurement("median", spread.median)
                writer.measurement("min", spread.least)
                writer.measurement("max", spread.most)
            }
        }
        writer.measurement("read_gbps", readRate.median)
        writer.measurement("dot_gmacs", dotPeak)
        writer.measurement("fma_gmacs", fmaPeak)
        writer.measurement("decode_bandwidth_share", bandwidthShare.median)
        writer.measurement("prefill_dot_share", prefillShare)
        writer.member("peak_rss_bytes", peakResidentByteCount)
    }
}
