/// How two sets of rows of floats differ.
package enum FloatDifference {
    /// Where the bit patterns first differ, in words; nil if they are equal.
    package static func firstInBits(_ found: [[Float]], _ expected: [[Float]]) -> String? {
        guard found.count == expected.count else { return "\(found.count) rows instead of \(expected.count)" }
        for (row, (found, expected)) in zip(found, expected).enumerated() {
            guard found.count == expected.count else {
                return "row \(row): \(found.count) columns instead of \(expected.count)"
            }
            for (column, (a, b)) in zip(found, expected).enumerated() where a.bitPattern != b.bitPattern {
                return "row \(row), column \(column): \(a) instead of \(b)"
            }
        }
        return nil
    }

    /// The largest, over all rows, of a row's largest difference by its largest magnitude; infinite where there are
    /// NaNs or the shapes differ.
    package static func relative(_ found: [[Float]], _ expected: [[Float]]) -> Float {
        guard found.count == expected.count else { return .infinity }
        var largest: Float = 0
        for (found, expected) in zip(found, expected) {
            guard found.count == expected.count, !found.contains(where: \.isNaN) else { return .infinity }
            let difference = zip(found, expected).map { abs($0 - $1) }.max() ?? 0
            largest = max(largest, difference / (expected.map { abs($0) }.max() ?? 0))
        }
        return largest
    }
}
