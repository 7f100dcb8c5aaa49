import ApusCore
import ApusEval

/// A comparison as one page of HTML: table, plots, command.
///
/// It holds no script and asks no network for anything.
struct ComparisonPage {
    private let comparison: Comparison

    init(_ comparison: Comparison) { self.comparison = comparison }

    /// The page.
    var html: String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>\(title.escapedForHTML)</title>
        <style>\(Self.style)</style>
        </head>
        <body>
        <h1>\(title.escapedForHTML)</h1>
        <p>\(comparison.conditions.escapedForHTML). Intervals are of 95 %, as if predictions were independent.</p>
        \(table)
        \(plots)
        <h2>Measured with</h2>
        <pre>\(comparison.command.escapedForHTML)</pre>
        <p>apus \(Program.version); text SHA-256 <code>\(comparison.text.contentHash.escapedForHTML)</code></p>
        </body>
        </html>

        """
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
            return "<tr><th scope=\"row\">\(entry.variant.text.escapedForHTML)</th>"
                + cells.map { "<td>\($0.escapedForHTML)</td>" }.joined() + "</tr>"
        }
        return "<div class=\"wide\"><table>\n<thead><tr>"
            + head.map { "<th scope=\"col\">\($0)</th>" }.joined() + "</tr></thead>\n<tbody>\n"
            + rows.joined(separator: "\n") + "\n</tbody></table></div>"
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

    private static let style = """

        :root { color-scheme: light dark; --text: #1d2330; --quiet: #5a6274; --line: #d9dde5; --back: #ffffff;
          --bar: #2f6fde; --reference: #8a93a6; }
        @media (prefers-color-scheme: dark) { :root { --text: #e6e9f0; --quiet: #9aa3b5; --line: #343b4a;
          --back: #14171e; --bar: #6ea0ff; --reference: #7c869a; } }
        body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); margin: 0 auto;
          max-width: 72rem; padding: 1.5rem; }
        h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
        p { color: var(--quiet); } pre, .wide { overflow-x: auto; }
        pre { border: 1px solid var(--line); border-radius: 6px; padding: .8rem; white-space: pre-wrap;
          overflow-wrap: anywhere; }
        code { overflow-wrap: anywhere; }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85rem; }
        th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
        thead th { white-space: normal; vertical-align: bottom; color: var(--quiet); font-weight: 500; }
        tr > :first-child { text-align: left; }
        figure { margin: 2rem 0 0; } figcaption { font-weight: 600; margin-bottom: .5rem; }
        svg { display: block; width: 100%; height: auto; max-width: 46rem; }
        svg text { fill: var(--text); font: 12px system-ui, sans-serif; dominant-baseline: middle; }
        svg .tick, svg .axis { fill: var(--quiet); } svg .value { font-variant-numeric: tabular-nums; }
        .bar { fill: var(--bar); } .reference { fill: var(--reference); }
        .grid { stroke: var(--line); } .extremes { stroke: var(--text); stroke-width: 2; opacity: .6; }

        """
}
