/// The "did you mean" of unknown names.
package enum Suggestion {
    /// The candidate nearest to a mistyped text; nil if none is near enough to be meant.
    package static func nearest(to text: String, among candidates: [String]) -> String? {
        let typed = Array(text.lowercased().unicodeScalars.prefix(64))
        let limit = typed.count < 4 ? 1 : max(2, typed.count / 3)
        let ranked = candidates.map {
            (distance: distance(typed, Array($0.lowercased().unicodeScalars.prefix(64))), name: $0)
        }
        guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
        if best.distance <= limit { return best.name }
        return typed.count < 3
            ? nil : candidates.filter { $0.lowercased().hasPrefix(text.lowercased()) }.min { $0.count < $1.count }
    }

    /// The insertions, removals and replacements between two texts (Levenshtein's distance, one row at a time).
    private static func distance(_ first: [Unicode.Scalar], _ second: [Unicode.Scalar]) -> Int {
        var row = Array(0...second.count)
        for (index, letter) in first.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for (column, other) in second.enumerated() {
                let replaced = diagonal + (letter == other ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(replaced, diagonal + 1, row[column] + 1)
            }
        }
        return row[second.count]
    }
}
