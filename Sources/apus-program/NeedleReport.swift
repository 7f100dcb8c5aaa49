import Apus
import ApusEval

/// What `apus eval needle` prints.
struct NeedleReport {
    let lengths: [Int]
    let depths: [Int]
    let outcomes: [NeedleTest.Outcome]

    private func proportion(_ isCounted: (NeedleTest.Place) -> Bool = { _ in true }) -> Proportion {
        var proportion = Proportion()
        for outcome in outcomes where isCounted(outcome.place) { proportion.add(outcome.isFound) }
        return proportion
    }

    /// A table for people: lengths down, depths across.
    var text: String {
        let head = ["tokens"] + depths.map { "\($0) %" } + ["all"]
        let rows = lengths.map { length in
            let cells = depths.map { depth in proportion { $0.length == length && $0.depth == depth } }
            return ["\(length)"] + (cells + [proportion { $0.length == length }]).map(Self.counts)
        }
        let all = proportion()
        let (low, high) = (all.interval.lowerBound, all.interval.upperBound)
        return TextTable([head] + rows, leadingColumnCount: 0).text
            + "\nfound \(Self.counts(all)): \(Self.percent(all.value)) (\(Self.percent(low)) to \(Self.percent(high)))\n"
    }

    /// One JSON object.
    var json: String {
        var writer = JSONWriter(.pretty)
        writer.object { writer in
            let all = proportion()
            writer.member("found", all.successCount)
            writer.member("questions", all.trialCount)
            writer.measurement("share", all.value)
            writer.measurement("share_low", all.interval.lowerBound)
            writer.measurement("share_high", all.interval.upperBound)
            writer.arrayMember("outcomes") { writer in
                for outcome in outcomes {
                    writer.object { writer in
                        writer.member("length", outcome.place.length)
                        writer.member("depth", outcome.place.depth)
                        writer.member("prompt_tokens", outcome.promptTokenCount)
                        writer.member("number", outcome.number)
                        writer.member("answer", outcome.answer)
                        writer.member("found", outcome.isFound)
                    }
                }
            }
        }
        return writer.text + "\n"
    }

    private static func counts(_ proportion: Proportion) -> String {
        "\(proportion.successCount)/\(proportion.trialCount)"
    }

    private static func percent(_ share: Double) -> String { "\(JSONRounding.thousandths(share * 100)) %" }
}
