import ApusEval

/// How a model's weights are spread, as one page of HTML: tables, plots, command.
struct DistributionPage {
    private let report: DistributionReport
    private let model: String
    private let command: String

    init(_ report: DistributionReport, model: String, command: String) {
        self.report = report
        self.model = model
        self.command = command
    }

    /// The page.
    var html: String {
        HTMLPage(
            title: "\(model): how its weights are spread",
            introduction:
                "INT4 is -7 … 7 times a scale; what it changes is a share of the weights' norm. A peak is a row's "
                + "largest weight in units of the row's root mean square: where peaks are high, a row's 15 steps go to a few "
                + "weights, and a model needs scales for groups. Outliers are weights beyond six root mean squares.",
            content: HTMLPage.table(report.kindRows) + plots + "<h2>Every matrix</h2>\n"
                + HTMLPage.table(report.matrixRows),
            command: command
        ).html
    }

    private var plots: String {
        bars("What INT4 with a scale for each row changes, %") { $0.rowError * 100 }
            + bars("What INT4 with a scale for \(WeightDistribution.groupLength) weights changes, %") {
                $0.groupError * 100
            }
            + SVGPlot.scatter(
                report.kinds.map { .init(label: $0.name, x: $0.weights.meanPeak, y: $0.weights.rowError * 100) },
                title: "Peaks are what rows cannot bear",
                x: "mean peak of a row, root mean squares",
                y: "changed by INT4 with a scale for each row, %",
                hasReference: false
            )
            + bars("Outliers in a million weights") { $0.outliersPerMillion }
            + bars("Kurtosis beyond a normal distribution's") { max(0, $0.excessKurtosis) }
    }

    private func bars(_ title: String, _ value: (WeightDistribution) -> Double) -> String {
        let bars = report.kinds.map { kind in
            let value = value(kind.weights)
            return SVGPlot.Bar(label: kind.name, value: value, extremes: nil, valueText: value.shortText)
        }
        return SVGPlot.bars(bars, title: title, hasReference: false)
    }
}
