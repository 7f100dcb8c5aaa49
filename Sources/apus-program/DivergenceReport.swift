import Apus
import ApusEval

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What `apus eval kl` prints.
struct DivergenceReport {
    let result: DivergenceResult
    let tokenizer: Tokenizer

    /// Lines for people.
    var text: String {
        var lines = [result.lines]
        if !result.worst.isEmpty { lines.append("worst:") }
        for entry in result.worst {
            lines.append(
                "  \(JSONRounding.thousandths(entry.divergence)) at \(entry.chunk):\(entry.position) "
                    + "\(quoted(entry.context)) then \(quoted([Int32(entry.next)])): the reference expects "
                    + "\(quoted([Int32(entry.expected)])), the model \(quoted([Int32(entry.found)]))"
            )
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// One JSON object.
    var json: String {
        var writer = JSONWriter(.pretty)
        writer.object { writer in
            result.write(into: &writer)
            writer.arrayMember("worst") { writer in
                for entry in result.worst { write(entry, &writer) }
            }
        }
        return writer.text + "\n"
    }

    private func write(_ entry: DivergenceResult.Worst, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("kl", JSONRounding.millionths(entry.divergence))
            writer.member("chunk", entry.chunk)
            writer.member("position", entry.position)
            writer.member("context", text(entry.context))
            writer.member("next", text([Int32(entry.next)]))
            writer.member("reference_expects", text([Int32(entry.expected)]))
            writer.member("model_expects", text([Int32(entry.found)]))
        }
    }

    private func text(_ tokens: [Int32]) -> String { String(decoding: tokenizer.decode(tokens), as: UTF8.self) }

    private func quoted(_ tokens: [Int32]) -> String { text(tokens).debugDescription }
}

extension DivergenceResult {
    private static let shares: [(share: Double, name: String, key: String)] = [
        (0.5, "median", "kl_median"), (0.9, "90 %", "kl_p90"), (0.99, "99 %", "kl_p99"), (1, "largest", "kl_max"),
    ]

    private var namedPercentiles: [(name: String, key: String, value: Double)] {
        zip(Self.shares, percentiles(Self.shares.map(\.share))).map { ($0.name, $0.key, $1) }
    }

    /// Lines for people.
    var lines: String {
        """
        mean KL      \(divergence.millionths)
                     \(namedPercentiles.map { "\($0.name) \(JSONRounding.millionths($0.value))" }.joined(separator: ", "))
        same top-1   \(topOneAgreement.percent)
        same top-5   \(topFiveAgreement.percent)
        perplexity   \(JSONRounding.thousandths(perplexity)), the reference's \
        \(JSONRounding.thousandths(referencePerplexity)); ratio \(logRatio.exponential)
        predictions  \(tokenCount)
        """
    }

    /// Members of an object.
    func write(into writer: inout JSONWriter) {
        writer.interval("kl", divergence)
        for percentile in namedPercentiles { writer.member(percentile.key, JSONRounding.millionths(percentile.value)) }
        writer.interval("top_1_agreement", topOneAgreement)
        writer.interval("top_5_agreement", topFiveAgreement)
        writer.measurement("perplexity", perplexity)
        writer.measurement("reference_perplexity", referencePerplexity)
        writer.interval("log_perplexity_ratio", logRatio)
        writer.member("predictions", tokenCount)
    }
}

extension Mean {
    /// Mean and interval, each as `render` writes it.
    fileprivate func text(_ render: (Double) -> String) -> String {
        "\(render(value)) (\(render(interval.lowerBound)) to \(render(interval.upperBound)))"
    }

    fileprivate var millionths: String { text { "\(JSONRounding.millionths($0))" } }
    fileprivate var percent: String { text { "\(JSONRounding.thousandths($0 * 100)) %" } }
    /// Of a logarithm: the numbers it stands for.
    fileprivate var exponential: String { text { "\(JSONRounding.millionths(exp($0)))" } }
}

extension JSONWriter {
    /// A mean and the bounds of its interval.
    fileprivate mutating func interval(_ key: String, _ mean: Mean) {
        member(key, JSONRounding.millionths(mean.value))
        member("\(key)_low", JSONRounding.millionths(mean.interval.lowerBound))
        member("\(key)_high", JSONRounding.millionths(mean.interval.upperBound))
    }
}
