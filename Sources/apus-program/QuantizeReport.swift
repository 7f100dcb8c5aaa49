import Apus
import ApusCore
import ApusEval
import ApusQuantize

/// What `apus quantize` prints at its end.
struct QuantizeReport {
    let path: String
    let type: QuantizationType
    let quantizer: Quantizer
    let loss: DivergenceResult?

    private var elementCount: Int { quantizer.items.reduce(0) { $0 + $1.tensor.elementCount } }
    private var sourceByteCount: Int { quantizer.items.reduce(0) { $0 + $1.tensor.byteCount } }
    private var bitsPerWeight: Double { Double(quantizer.byteCount) * 8 / Double(max(1, elementCount)) }

    /// Weights of each type, the most first.
    private var shares: [(type: ElementType, share: Double)] {
        var counts: [ElementType: Int] = [:]
        for item in quantizer.items { counts[item.type, default: 0] += item.tensor.elementCount }
        return counts.map { ($0.key, Double($0.value) / Double(max(1, elementCount))) }
            .sorted { $0.1 > $1.1 || $0.1 == $1.1 && $0.0.rawValue < $1.0.rawValue }
    }

    /// Lines for people.
    var text: String {
        let parts = shares.filter { $0.share >= 0.001 }
            .map { "\($0.type) \(JSONRounding.thousandths($0.share * 100)) %" }
            .joined(separator: ", ")
        var lines = [
            "\(path): \(ByteCount.text(quantizer.byteCount)), \(type.name), "
                + "\(JSONRounding.thousandths(bitsPerWeight)) bits a weight (\(parts)); the source has "
                + ByteCount.text(sourceByteCount)
        ]
        if let loss { lines.append(loss.lines) }
        return lines.joined(separator: "\n") + "\n"
    }

    /// One JSON object.
    var json: String {
        var writer = JSONWriter(.pretty)
        writer.object { writer in
            writer.member("path", path)
            writer.member("type", type.name)
            writer.member("bytes", quantizer.byteCount)
            writer.member("source_tensor_bytes", sourceByteCount)
            writer.measurement("bits_per_weight", bitsPerWeight)
            writer.arrayMember("tensors") { writer in
                for item in quantizer.items {
                    writer.object { writer in
                        writer.member("name", item.tensor.name)
                        writer.member("source_type", item.tensor.type.description)
                        writer.member("type", item.type.description)
                    }
                }
            }
            if let loss { writer.objectMember("loss") { loss.write(into: &$0) } }
        }
        return writer.text + "\n"
    }
}

extension DivergenceResult {
    /// What a file's record keeps.
    var measures: FidelityRecord.Measures {
        [
            ("kl", divergence.value), ("kl_standard_error", divergence.standardError),
            ("kl_p99", percentiles([0.99])[0]), ("top_1_agreement", topOneAgreement.value),
            ("top_5_agreement", topFiveAgreement.value), ("perplexity", perplexity),
            ("reference_perplexity", referencePerplexity), ("predictions", Double(tokenCount)),
        ]
    }
}
