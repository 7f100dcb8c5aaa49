/// Canonical decomposition and composition (Unicode Standard Annex 15; Unicode 16, sections 3.11 and 3.12).
enum CanonicalForm {
    private struct Tables {
        let combiningClasses = CodePointTable(runs: UnicodeData.combiningClasses)
        /// One-step decompositions: one code point, or two.
        var decompositions: [UInt32: (UInt32, UInt32?)] = [:]
        /// The code point each pair composes to.
        var compositions: [UInt64: UInt32] = [:]

        init() {
            var numbers = PackedNumbers(UnicodeData.decompositions)
            var scalar = 0
            while let delta = numbers.next(), let header = numbers.next(), let first = numbers.nextSigned() {
                scalar += delta
                let head = UInt32(truncatingIfNeeded: scalar + first)
                let second = header >> 1 == 2 ? numbers.nextSigned() : nil
                let tail = second.map { UInt32(truncatingIfNeeded: scalar + $0) }
                decompositions[UInt32(truncatingIfNeeded: scalar)] = (head, tail)
                if header & 1 == 1, let tail {
                    compositions[CanonicalForm.key(head, tail)] = UInt32(truncatingIfNeeded: scalar)
                }
            }
        }
    }

    private static let tables = Tables()

    private static func key(_ first: UInt32, _ second: UInt32) -> UInt64 { UInt64(first) << 32 | UInt64(second) }

    // Hangul syllables are computed, not listed (section 3.12).
    private enum Hangul {
        static let syllables: ClosedRange<UInt32> = 0xAC00...0xD7A3
        static let leads: Range<UInt32> = 0x1100..<0x1113
        static let vowels: Range<UInt32> = 0x1161..<0x1176
        static let trails: Range<UInt32> = 0x11A8..<0x11C3
        static let trailCount: UInt32 = 28
        static let vowelCount: UInt32 = 21
    }

    /// Form D: every code point fully decomposed, marks in canonical order.
    static func nfd(_ scalars: [UInt32]) -> [UInt32] {
        let tables = tables
        var result: [UInt32] = []
        result.reserveCapacity(scalars.count)
        for scalar in scalars { decompose(scalar, tables, into: &result) }
        sortMarks(&result, tables.combiningClasses)
        return result
    }

    /// Form C: form D, then every mark joined to its base where the pair has a code point of its own.
    static func nfc(_ scalars: [UInt32]) -> [UInt32] {
        let tables = tables
        var result: [UInt32] = []
        result.reserveCapacity(scalars.count)
        var starter: Int?
        var lastClass: UInt8 = 0
        for scalar in nfd(scalars) {
            let combiningClass = tables.combiningClasses[scalar]
            if let starter {
                let isAdjacent = result.count - 1 == starter
                if isAdjacent || lastClass < combiningClass && lastClass > 0,
                    let composed = compose(result[starter], scalar, tables)
                {
                    result[starter] = composed
                    continue
                }
            }
            if combiningClass == 0 { starter = result.count }
            lastClass = combiningClass
            result.append(scalar)
        }
        return result
    }

    private static func decompose(_ scalar: UInt32, _ tables: Tables, into result: inout [UInt32]) {
        if scalar < 0xC0 {
            result.append(scalar)
        } else if Hangul.syllables.contains(scalar) {
            let index = scalar - Hangul.syllables.lowerBound
            let trail = index % Hangul.trailCount
            result.append(Hangul.leads.lowerBound + index / (Hangul.vowelCount * Hangul.trailCount))
            result.append(Hangul.vowels.lowerBound + index / Hangul.trailCount % Hangul.vowelCount)
            if trail > 0 { result.append(Hangul.trails.lowerBound - 1 + trail) }
        } else {
            // Only the first of a pair decomposes further, so a loop with a stack of seconds does.
            var head = scalar
            var tails: [UInt32] = []
            while let (first, second) = tables.decompositions[head] {
                head = first
                if let second { tails.append(second) }
            }
            result.append(head)
            result.append(contentsOf: tails.reversed())
        }
    }

    /// Sorts each run of marks by class, keeping the order of equals.
    private static func sortMarks(_ scalars: inout [UInt32], _ classes: CodePointTable) {
        var start = 0
        while start < scalars.count {
            guard classes[scalars[start]] > 0 else {
                start += 1
                continue
            }
            var end = start + 1
            while end < scalars.count, classes[scalars[end]] > 0 { end += 1 }
            if end - start > 1 {
                // The standard library's sort is stable in practice but not by contract: the index decides ties.
                let run = scalars[start..<end].enumerated().sorted { left, right in
                    let (leftClass, rightClass) = (classes[left.element], classes[right.element])
                    return leftClass < rightClass || leftClass == rightClass && left.offset < right.offset
                }
                scalars.replaceSubrange(start..<end, with: run.map(\.element))
            }
            start = end
        }
    }

    private static func compose(_ first: UInt32, _ second: UInt32, _ tables: Tables) -> UInt32? {
        if Hangul.leads.contains(first), Hangul.vowels.contains(second) {
            let lead = first - Hangul.leads.lowerBound
            let syllable = (lead * Hangul.vowelCount + second - Hangul.vowels.lowerBound) * Hangul.trailCount
            return Hangul.syllables.lowerBound + syllable
        }
        if Hangul.syllables.contains(first), Hangul.trails.contains(second),
            (first - Hangul.syllables.lowerBound) % Hangul.trailCount == 0
        {
            return first + 1 + second - Hangul.trails.lowerBound
        }
        return tables.compositions[key(first, second)]
    }
}
