import ApusEngine

/// Writes Prometheus' text format.
struct MetricsPage {
    private(set) var text = ""

    mutating func header(_ name: String, _ kind: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    }

    mutating func sample(_ name: String, _ labels: KeyValuePairs<String, String>, _ value: Double) {
        text += "\(name)\(Self.labels(labels.map { ($0.key, $0.value) })) \(Self.number(value))\n"
    }

    mutating func counter(_ name: String, _ help: String, _ value: Int) {
        header(name, "counter", help)
        sample(name, [:], Double(value))
    }

    mutating func histogram(_ name: String, _ labels: KeyValuePairs<String, String>, _ histogram: Histogram) {
        let own = labels.map { ($0.key, $0.value) }
        var total = 0
        for (bound, count) in zip(histogram.bounds, histogram.counts) {
            total += count
            text += "\(name)_bucket\(Self.labels(own + [("le", Self.number(bound))])) \(total)\n"
        }
        text += "\(name)_bucket\(Self.labels(own + [("le", "+Inf")])) \(histogram.count)\n"
        text += "\(name)_sum\(Self.labels(own)) \(Self.number(histogram.sum))\n"
        text += "\(name)_count\(Self.labels(own)) \(histogram.count)\n"
    }

    mutating func engineRow(_ row: Metrics.EngineRow, _ engines: [(name: String, statistics: EngineStatistics)]) {
        header(row.name, row.kind, row.help)
        for engine in engines { sample(row.name, ["model": engine.name], row.value(engine.statistics)) }
    }

    private static func labels(_ labels: [(String, String)]) -> String {
        guard !labels.isEmpty else { return "" }
        let items = labels.map { name, value in
            let escaped = value.map { $0 == "\"" ? "\\\"" : $0 == "\\" ? "\\\\" : $0 == "\n" ? "\\n" : String($0) }
            return "\(name)=\"\(escaped.joined())\""
        }
        return "{\(items.joined(separator: ","))}"
    }

    private static func number(_ value: Double) -> String {
        Int(exactly: value).map(String.init) ?? value.description
    }
}
