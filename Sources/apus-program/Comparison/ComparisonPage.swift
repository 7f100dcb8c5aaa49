import ApusCore
import ApusEval

/// A comparison as one page of HTML: table, plots, command.
struct ComparisonPage {
    private let comparison: Comparison

    init(_ comparison: Comparison) { self.comparison = comparison }

    /// The page.
    var html: String {
        HTMLPage(
            title: title,
            introduction: "\(comparison.conditions). Intervals are of 95 %, as if predictions were independent.",
            content: table + "\n" + plots,
            command: comparison.command,
            note: "text SHA-256 <code>\(comparison.text.contentHash.escapedForHTML)</code>"
        ).html
    }

    private var title: String {
        "Variants of \(comparison.entries.first?.variant.text.split(separator: "/").last.map(String.init) ?? "a model")"
    }

    private var table: String {
        let head = [
            "variant", "files", "weights in memory", "keys and values a token", "prompt tokens/s", "decode tokens/s",
            "mean KL", "same top-1", "perplexity",
        ]
        let rows = comparison.entries.map { entry in
            let cells = [
                ByteCount.text(entry.fileByteCount), ByteCount.text(entry.weightByteCount),
                ByteCount.text(entry.keyValueByteCount), Self.text(Spread(entry.prefillRates)),
                Self.text(Spread(entry.decodeRates)), entry.loss.map { Self.text($0.divergence) } ?? "reference",
                entry.loss.map { Self.text($0.topOneAgreement, scale: 100, unit: " %") } ?? "",
                comparison.perplexity(of: entry).shortText,
            ]
            return [entry.variant.text] + cells
        }
        return HTMLPage.table([head] + rows)
    }

    private var plots: String {
        let entries = comparison.entries
        func bars(_ title: String, _ value: (Comparison.Entry) -> (Double, ClosedRange<Double>?, String)) -> String {
            let bars = entries.map { entry in
                let (length, extremes, text) = value(entry)
                return SVGPlot.Bar(label: entry.variant.text, value: length, extremes: extremes, valueText: text)
            }
            return SVGPlot.bars(bars, title: title)
        }
        func rates(_ rates: [Double]) -> (Double, ClosedRange<Double>?, String) {
            let spread = Spread(rates)
            return (spread.median, spread.least...spread.most, spread.median.shortText)
        }
        let points = entries.map { entry in
            SVGPlot.Point(
                label: entry.variant.text,
                x: Double(entry.weightByteCount) / 1e6,
                y: entry.loss?.divergence.value ?? 0
            )
        }
        return SVGPlot.scatter(
            points,
            title: "What a smaller model costs",
            x: "weights in memory, MB",
            y: "mean KL divergence from the reference, nats a token"
        )
            + bars("Weights in memory") {
                (Double($0.weightByteCount), nil, ByteCount.text($0.weightByteCount))
            }
            + bars("Keys and values of a token of context") {
                (Double($0.keyValueByteCount), nil, ByteCount.text($0.keyValueByteCount))
            }
            + bars("Decoding, tokens a second") { rates($0.decodeRates) }
            + bars("Prompt processing, tokens a second") { rates($0.prefillRates) }
            + bars("Mean KL divergence from the reference, nats a token") { entry in
                guard let loss = entry.loss?.divergence else { return (0, nil, "reference") }
                let interval = loss.interval
                return (loss.value, max(0, interval.lowerBound)...max(0, interval.upperBound), loss.value.shortText)
            }
            + bars("Most likely token not the reference's") { entry in
                guard let agreement = entry.loss?.topOneAgreement else { return (0, nil, "reference") }
                let share = 1 - agreement.value
                let half = 1.96 * agreement.standardError
                return (share, max(0, share - half)...share + half, (share * 100).shortText + " %")
            }
    }

    private static func text(_ spread: Spread) -> String {
        "\(spread.median.shortText) (\(spread.least.shortText) to \(spread.most.shortText))"
    }

    private static func text(_ mean: Mean, scale: Double = 1, unit: String = "") -> String {
        "\((mean.value * scale).shortText)\(unit) ± \((1.96 * mean.standardError * scale).shortText)"
    }
}
