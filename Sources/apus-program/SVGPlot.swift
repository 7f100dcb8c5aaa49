/// Plots as SVG for a page that runs no script: everything is drawn and labelled already.
///
/// Colours are classes of the page's style sheet, so that plots follow light and dark.
enum SVGPlot {
    /// A bar: what it is called, how long it is, and the extremes that a line over its end spans.
    struct Bar {
        let label: String
        let value: Double
        let extremes: ClosedRange<Double>?
        let valueText: String
    }

    /// A point and what it is called.
    struct Point {
        let label: String
        let x: Double
        let y: Double
    }

    private static let width = 640.0

    /// Bars one below the other, from 0 on; the first may be what the others are compared with.
    static func bars(_ bars: [Bar], title: String, hasReference: Bool = true) -> String {
        let (rowHeight, labelWidth, valueWidth) = (26.0, 210.0, 110.0)
        let most = bars.map { max($0.value, $0.extremes?.upperBound ?? 0) }.max() ?? 0
        let scale = most > 0 ? (width - labelWidth - valueWidth) / most : 0
        let height = rowHeight * Double(bars.count)
        let rows = bars.enumerated().map { index, bar in
            let middle = rowHeight * (Double(index) + 0.5)
            var row = """
                <text class="label" x="\(number(labelWidth - 8))" y="\(number(middle))" text-anchor="end">\
                <title>\(bar.label.escapedForHTML)</title>\(bar.label.shortened(to: 30).escapedForHTML)</text>
                <rect class="\(hasReference && index == 0 ? "reference" : "bar")" x="\(number(labelWidth))" y="\(number(middle - 8))" \
                width="\(number(max(1, bar.value * scale)))" height="16" rx="2"/>

                """
            if let extremes = bar.extremes {
                let (from, to) = (labelWidth + extremes.lowerBound * scale, labelWidth + extremes.upperBound * scale)
                row += "<path class=\"extremes\" d=\"M\(number(from)) \(number(middle))H\(number(to))\"/>\n"
            }
            let end = labelWidth + max(bar.value, bar.extremes?.upperBound ?? 0) * scale
            return row
                + "<text class=\"value\" x=\"\(number(end + 8))\" y=\"\(number(middle))\">"
                + "\(bar.valueText.escapedForHTML)</text>\n"
        }
        return svg(rows.joined(), height: height, title: title)
    }

    /// Points over two axes that begin at 0; the first may be what the others are compared with.
    static func scatter(
        _ points: [Point],
        title: String,
        x xTitle: String,
        y yTitle: String,
        hasReference: Bool = true
    ) -> String {
        let (left, right, top, bottom, height) = (70.0, 150.0, 20.0, 50.0, 340.0)
        let (xTicks, yTicks) = (ticks(to: points.map(\.x).max() ?? 0), ticks(to: points.map(\.y).max() ?? 0))
        let xScale = (width - left - right) / max(xTicks.last ?? 1, .leastNormalMagnitude)
        let yScale = (height - top - bottom) / max(yTicks.last ?? 1, .leastNormalMagnitude)
        func place(_ x: Double, _ y: Double) -> (x: Double, y: Double) {
            (left + x * xScale, height - bottom - y * yScale)
        }
        var content = ""
        for tick in xTicks {
            let (x, y) = place(tick, 0)
            content += "<path class=\"grid\" d=\"M\(number(x)) \(number(top))V\(number(y))\"/>"
            content += "<text class=\"tick\" x=\"\(number(x))\" y=\"\(number(y + 16))\" text-anchor=\"middle\">"
            content += "\(tick.shortText.withoutTrailingZeros)</text>\n"
        }
        for tick in yTicks {
            let (x, y) = place(0, tick)
            content += "<path class=\"grid\" d=\"M\(number(x)) \(number(y))H\(number(width - right))\"/>"
            content += "<text class=\"tick\" x=\"\(number(x - 8))\" y=\"\(number(y))\" text-anchor=\"end\">"
            content += "\(tick.shortText.withoutTrailingZeros)</text>\n"
        }
        content += "<text class=\"axis\" x=\"\(number((left + width - right) / 2))\" y=\"\(number(height - 8))\" "
        content += "text-anchor=\"middle\">\(xTitle.escapedForHTML)</text>\n"
        content += "<text class=\"axis\" x=\"\(number(left))\" y=\"8\">\(yTitle.escapedForHTML)</text>\n"
        var labels: [(x: Double, y: Double)] = []
        for (index, point) in points.enumerated() {
            let (x, y) = place(point.x, point.y)
            // Labels of neighbours go one below the other.
            var label = (x: x + 9, y: y - 9)
            while labels.contains(where: { abs($0.x - label.x) < 150 && abs($0.y - label.y) < 13 }) { label.y += 13 }
            labels.append(label)
            let style = hasReference && index == 0 ? "reference" : "bar"
            content += "<circle class=\"\(style)\" cx=\"\(number(x))\" cy=\"\(number(y))\" r=\"5\"/>"
            content += "<text class=\"label\" x=\"\(number(label.x))\" y=\"\(number(label.y))\">"
            content += "<title>\(point.label.escapedForHTML)</title>"
            content += "\(point.label.shortened(to: 24).escapedForHTML)</text>\n"
        }
        return svg(content, height: height, title: title)
    }

    /// Four to eight round numbers from 0 to one that is not less than `most`.
    private static func ticks(to most: Double) -> [Double] {
        guard most > 0, most.isFinite else { return [0, 1] }
        var step = 1.0
        while step * 4 > most { step /= 10 }
        while step * 40 <= most { step *= 10 }
        if let wider = [10, 5, 2].first(where: { step * $0 * 4 <= most }) { step *= wider }
        return (0...Int((most / step).rounded(.up))).map { Double($0) * step }
    }

    private static func svg(_ content: String, height: Double, title: String) -> String {
        """
        <figure><figcaption>\(title.escapedForHTML)</figcaption>
        <svg viewBox="0 0 \(number(width)) \(number(height))" role="img" aria-label="\(title.escapedForHTML)">
        \(content)</svg></figure>

        """
    }

    /// A coordinate to a tenth.
    private static func number(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
}

extension String {
    /// The text where HTML expects text or a quoted attribute.
    var escapedForHTML: String {
        var escaped = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&#39;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }

    /// The end of a text that is too long: names of variants differ there.
    fileprivate func shortened(to count: Int) -> String { self.count > count ? "…" + suffix(count - 1) : self }

    /// A decimal fraction without zeros at its end.
    fileprivate var withoutTrailingZeros: Substring {
        guard contains(".") else { return self[...] }
        var rest = self[...]
        while rest.last == "0" { rest.removeLast() }
        if rest.last == "." { rest.removeLast() }
        return rest
    }
}
