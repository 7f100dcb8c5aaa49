import Apus
import ApusCore
import ApusEval

/// What the benchmark of the kernels found: a table for each tier.
struct KernelReport {
    private let tiers: [KernelBenchmark.TierRates]
    private let threadCount: Int

    init(_ tiers: [KernelBenchmark.TierRates], threadCount: Int) {
        self.tiers = tiers
        self.threadCount = threadCount
    }

    var text: String {
        let cold = ByteCount.text(KernelBenchmark.coldByteCount)
        let head = """
            kernels  GMAC/s and the share of the tier's peak on \(Processor.name), \(threadCount) threads; 1 and 8 rows go \
            over \(cold) of weights (scalar: in cache)

            """
        return head + tiers.map(text).joined()
    }

    private func text(_ tier: KernelBenchmark.TierRates) -> String {
        var lines = ["", "\(tier.tier.rawValue): 8-bit dots \(number(tier.peaks.dots / 1e9)) GMAC/s, "]
        lines[1] += "float FMA \(number(tier.peaks.fusedMultiplyAdds / 1e9)) GMAC/s at most"
        let counts = KernelBenchmark.rowCounts.map { ($0 == 1 ? "1 row" : "\($0) rows").aligned(to: 18) }
        lines.append("type   " + counts.joined() + "1 row, GB/s".aligned(to: 13))
        for type in tier.types {
            let rates = type.rates.indices.map { index in
                number(type.rates[index] / 1e9).aligned(to: 9) + "\(number(type.share(index) * 100)) %".aligned(to: 9)
            }
            lines.append(
                type.type.description.padded(to: 7) + rates.joined()
                    + number(type.readRate / 1e9).aligned(to: 13)
            )
        }
        if !tier.impossible.isEmpty {
            let names = tier.impossible.map(\.description).joined(separator: ", ")
            lines.append("warning: \(names): faster than the peak as measured: a noisy machine or a wrong limit")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// One digit after the point.
    private func number(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }

    /// The members of the JSON object.
    func write(into writer: inout JSONWriter) {
        writer.key("kernels")
        writer.object { writer in
            writer.member("cpu", Processor.name)
            writer.member("threads", threadCount)
            writer.key("tiers")
            writer.array { writer in
                for tier in tiers { write(tier, into: &writer) }
            }
        }
    }

    private func write(_ tier: KernelBenchmark.TierRates, into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("tier", tier.tier.rawValue)
            writer.measurement("dot_gmacs", tier.peaks.dots / 1e9)
            writer.measurement("fma_gmacs", tier.peaks.fusedMultiplyAdds / 1e9)
            writer.key("types")
            writer.array { writer in
                for type in tier.types { write(type, into: &writer) }
            }
        }
    }

    private func write(_ type: KernelBenchmark.TypeRates, into writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("type", type.type.description)
            for (index, rowCount) in KernelBenchmark.rowCounts.enumerated() {
                writer.measurement("gmacs_\(rowCount)", type.rates[index] / 1e9)
                writer.measurement("share_\(rowCount)", type.share(index))
            }
            writer.measurement("read_gbps_1", type.readRate / 1e9)
        }
    }
}

extension String {
    /// Spaces in front, up to a width.
    fileprivate func aligned(to width: Int) -> String { String(repeating: " ", count: max(1, width - count)) + self }
}
