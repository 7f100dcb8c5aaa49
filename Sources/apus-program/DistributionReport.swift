import Apus
import ApusCore
import ApusEval

/// What `apus show --distribution` prints: how a model's weights are spread, and what INT4 makes of them.
struct DistributionReport {
    private let entries: [MatrixDistribution]

    init(_ entries: [MatrixDistribution]) { self.entries = entries }

    /// A name with its layer's number left open, which matrices of the same kind share.
    private static func kind(of entry: MatrixDistribution) -> String {
        entry.name.split(separator: ".").map { Int($0) == nil ? String($0) : "*" }.joined(separator: ".")
    }

    /// The matrices of each kind, the kind that INT4 with a scale per row harms most first.
    var kinds: [(name: String, entries: [MatrixDistribution], weights: WeightDistribution)] {
        Dictionary(grouping: entries, by: Self.kind).map { name, entries in (name, entries, Self.sum(of: entries)) }
            .sorted { ($1.weights.rowError, $0.name) < ($0.weights.rowError, $1.name) }
    }

    private static func sum(of entries: [MatrixDistribution]) -> WeightDistribution {
        entries.reduce(into: WeightDistribution()) { $0.add($1.weights) }
    }

    /// Matrices that are listed by name.
    private static let listedCount = 5

    private static let head = [
        "matrices", "σ", "kurtosis", "mean peak", "largest", "outliers/M", "INT4 rows", "INT4 of 32",
    ]

    private static func cells(_ weights: WeightDistribution) -> [String] {
        [
            weights.standardDeviation.shortText, weights.excessKurtosis.shortText, weights.meanPeak.shortText,
            weights.largestPeak.shortText, weights.outliersPerMillion.shortText,
            (weights.rowError * 100).shortText + " %", (weights.groupError * 100).shortText + " %",
        ]
    }

    /// A table of kinds, head first.
    var kindRows: [[String]] {
        let all = ["all (\(entries.count))"] + Self.cells(Self.sum(of: entries))
        return [Self.head] + kinds.map { ["\($0.name) (\($0.entries.count))"] + Self.cells($0.weights) } + [all]
    }

    /// A table of all matrices, head first, then those that INT4 harms most.
    var matrixRows: [[String]] {
        let worst = entries.sorted { ($1.weights.rowError, $0.name) < ($0.weights.rowError, $1.name) }
        return [Self.head] + worst.map { [$0.name] + Self.cells($0.weights) }
    }

    /// A table of kinds, the matrices that INT4 harms most, and what the columns mean.
    var text: String {
        """
        \(TextTable(kindRows).text)

        Most changed by INT4 with a scale per row:
        \(TextTable(Array(matrixRows.prefix(1 + Self.listedCount))).text)

        kurtosis: excess over a normal distribution, of all weights of a kind together
        peak: a row's largest weight in units of the row's root mean square, and the largest of all rows
        outliers/M: weights beyond \(Int(WeightDistribution.outlierThreshold)) root mean squares of their row, in a million
        INT4: what rounding to -7 … 7 times a scale changes, as a share of the weights' norm; a scale for each row, or
        for \(WeightDistribution.groupLength) weights. A row with a high peak spends its 15 steps on one weight: where the two differ much, a
        model needs groups.

        """
    }

    /// One JSON object.
    var json: String {
        var writer = JSONWriter(.pretty)
        writer.object { writer in
            writer.objectMember("all") { Self.write(Self.sum(of: entries), &$0) }
            writer.arrayMember("kinds") { writer in
                for kind in kinds {
                    writer.object { writer in
                        writer.member("name", kind.name)
                        writer.member("matrices", kind.entries.count)
                        Self.write(kind.weights, &writer)
                    }
                }
            }
            writer.arrayMember("matrices") { writer in
                for entry in entries {
                    writer.object { writer in
                        writer.member("name", entry.name)
                        writer.member("type", entry.type.description)
                        Self.write(entry.weights, &writer)
                    }
                }
            }
        }
        return writer.text + "\n"
    }

    private static func write(_ weights: WeightDistribution, _ writer: inout JSONWriter) {
        writer.member("weights", weights.count)
        writer.member("mean", JSONRounding.millionths(weights.mean))
        writer.member("standard_deviation", JSONRounding.millionths(weights.standardDeviation))
        for (key, value) in [("excess_kurtosis", weights.excessKurtosis), ("mean_peak", weights.meanPeak)] {
            // A matrix of zeros has neither.
            if value.isFinite { writer.measurement(key, value) } else { writer.nullMember(key) }
        }
        writer.measurement("largest_peak", weights.largestPeak)
        writer.member("outliers", weights.outlierCount)
        writer.measurement("outliers_per_million", weights.outliersPerMillion)
        writer.member("int4_row_error", JSONRounding.millionths(weights.rowError))
        writer.member("int4_group_error", JSONRounding.millionths(weights.groupError))
    }
}
