import Apus
import ApusCore
import ApusEval

extension Comparison {
    /// A table for people.
    var table: String {
        let head = [
            "variant", "files", "weights", "KV/token", "prompt t/s", "decode t/s", "mean KL", "top-1", "perplexity",
        ]
        let rows = entries.map { entry in
            [
                entry.variant.text, ByteCount.text(entry.fileByteCount), ByteCount.text(entry.weightByteCount),
                ByteCount.text(entry.keyValueByteCount), Spread(entry.prefillRates).median.shortText,
                Spread(entry.decodeRates).median.shortText,
                entry.loss.map { $0.divergence.shortText } ?? "reference",
                entry.loss.map { ($0.topOneAgreement.value * 100).shortText + " %" } ?? "",
                perplexity(of: entry).shortText,
            ]
        }
        return TextTable([head] + rows).text + "\n\(conditions)\n"
    }

    /// What the figures were measured on.
    var conditions: String {
        "\(predictionCount) predictions on \(text.name) in chunks of \(text.contextLength) tokens, KL in nats a token; "
            + "prompt of \(work.promptCount) tokens, \(work.generateCount) generated, median of "
            + "\(entries.first?.decodeRates.count ?? 0); \(Processor.name), \(tier), \(threadCount) threads"
    }

    /// One JSON object.
    var json: String {
        var writer = JSONWriter(.pretty)
        writer.object { writer in
            writer.member("cpu", Processor.name)
            writer.member("tier", tier)
            writer.member("threads", threadCount)
            writer.member("prompt_tokens", work.promptCount)
            writer.member("generated_tokens", work.generateCount)
            writer.objectMember("text") { writer in
                writer.member("name", text.name)
                writer.member("sha256", text.contentHash)
                writer.member("context", text.contextLength)
                writer.member("predictions", predictionCount)
            }
            writer.arrayMember("variants") { writer in
                for entry in entries { write(entry, &writer) }
            }
        }
        return writer.text + "\n"
    }

    private func write(_ entry: Entry, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("variant", entry.variant.text)
            writer.member("model", entry.variant.model)
            writer.member("kv", entry.variant.kvType.rawValue)
            if let type = entry.variant.quantization { writer.member("quantize", type.description) }
            writer.member("file_bytes", entry.fileByteCount)
            writer.member("weight_bytes", entry.weightByteCount)
            writer.member("kv_bytes_per_token", entry.keyValueByteCount)
            for (key, rates) in [("prefill_tps", entry.prefillRates), ("decode_tps", entry.decodeRates)] {
                writer.objectMember(key) { writer in
                    let spread = Spread(rates)
                    writer.measurement("median", spread.median)
                    writer.measurement("min", spread.least)
                    writer.measurement("max", spread.most)
                }
            }
            writer.measurement("perplexity", perplexity(of: entry))
            if let loss = entry.loss { writer.objectMember("loss") { loss.write(into: &$0) } }
        }
    }
}

extension Double {
    /// Three significant digits, or all digits before the point: `0.00213`, `12.3`, `1234`.
    var shortText: String {
        guard self != 0 else { return "0" }
        guard abs(self) < 1e15 else { return "\(self)" }
        var digits = 0
        var size = abs(self)
        while size < 100, digits < 9 {
            size *= 10
            digits += 1
        }
        // Counted in whole steps, so that no digit of a binary fraction shows.
        var text = "\(Int(size.rounded(.toNearestOrAwayFromZero)))"
        guard digits > 0 else { return (self < 0 ? "-" : "") + text }
        while text.count <= digits { text = "0" + text }
        text.insert(".", at: text.index(text.endIndex, offsetBy: -digits))
        return (self < 0 ? "-" : "") + text
    }
}

extension Mean {
    /// The mean with half the width of its interval.
    fileprivate var shortText: String { "\(value.shortText) ± \((1.96 * standardError).shortText)" }
}
