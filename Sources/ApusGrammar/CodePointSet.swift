/// A set of Unicode scalar values, as sorted ranges that don't touch.
struct CodePointSet {
    private(set) var ranges: [ClosedRange<UInt32>] = []

    static let all = CodePointSet([0...0x10FFFF])

    /// The set of all values in these ranges; surrogates are left out.
    init(_ ranges: [ClosedRange<UInt32>]) {
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = self.ranges.last, range.lowerBound <= last.upperBound + 1 {
                let upper = max(last.upperBound, range.upperBound)
                self.ranges[self.ranges.count - 1] = last.lowerBound...upper
            } else {
                self.ranges.append(range)
            }
        }
        self.ranges = self.ranges.flatMap { range in
            [range.clamped(below: 0xD800), range.clamped(above: 0xDFFF)].compactMap { $0 }
        }
    }

    var inverted: CodePointSet {
        var result: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for range in ranges {
            if range.lowerBound > next { result.append(next...range.lowerBound - 1) }
            next = range.upperBound + 1
        }
        if next <= 0x10FFFF { result.append(next...0x10FFFF) }
        return CodePointSet(result)
    }

    func union(_ other: CodePointSet) -> CodePointSet { CodePointSet(ranges + other.ranges) }
    func intersection(_ other: CodePointSet) -> CodePointSet { inverted.union(other.inverted).inverted }
    func subtracting(_ other: CodePointSet) -> CodePointSet { inverted.union(other).inverted }

    /// The UTF-8 forms of the set's members, as products of byte ranges.
    var byteSequences: [[ClosedRange<UInt8>]] { ranges.flatMap(Self.sequences) }
    /// The UTF-8 forms of the set's members.
    var expression: GrammarExpression { .choice(byteSequences.map(Self.bytes)) }

    private static func bytes(_ ranges: [ClosedRange<UInt8>]) -> GrammarExpression {
        ranges.count == 1 ? .byte(ranges[0]) : .sequence(ranges.map { .byte($0) })
    }

    /// A range of code points as products of byte ranges (Unicode 16, table 3-7).
    private static func sequences(_ range: ClosedRange<UInt32>) -> [[ClosedRange<UInt8>]] {
        let lengths: [ClosedRange<UInt32>] = [0...0x7F, 0x80...0x7FF, 0x800...0xFFFF, 0x10000...0x10FFFF]
        return lengths.enumerated().flatMap { index, limits -> [[ClosedRange<UInt8>]] in
            guard range.overlaps(limits) else { return [] }
            let part = range.clamped(to: limits)
            return split(encode(part.lowerBound, index), encode(part.upperBound, index))
        }
    }

    private static func encode(_ value: UInt32, _ continuationCount: Int) -> [UInt8] {
        guard continuationCount > 0 else { return [UInt8(truncatingIfNeeded: value)] }
        let leads: [UInt32] = [0, 0xC0, 0xE0, 0xF0]
        var bytes = [UInt8(truncatingIfNeeded: leads[continuationCount] | value >> UInt32(6 * continuationCount))]
        for index in (0..<continuationCount).reversed() {
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | (value >> UInt32(6 * index)) & 0x3F))
        }
        return bytes
    }

    /// All byte strings from `low` to `high`, which have the same length and order as their code points.
    private static func split(_ low: [UInt8], _ high: [UInt8]) -> [[ClosedRange<UInt8>]] {
        guard low.count > 1 else { return [[low[0]...high[0]]] }
        let (lowRest, highRest) = (Array(low.dropFirst()), Array(high.dropFirst()))
        let least = [UInt8](repeating: 0x80, count: lowRest.count)
        let most = [UInt8](repeating: 0xBF, count: lowRest.count)
        if low[0] == high[0] { return split(lowRest, highRest).map { [low[0]...low[0]] + $0 } }
        var result: [[ClosedRange<UInt8>]] = []
        var (first, last) = (low[0], high[0])
        if lowRest != least {
            result += split(lowRest, most).map { [low[0]...low[0]] + $0 }
            first += 1
        }
        var tail: [[ClosedRange<UInt8>]] = []
        if highRest != most {
            tail = split(least, highRest).map { [high[0]...high[0]] + $0 }
            last -= 1
        }
        if first <= last { result.append([first...last] + lowRest.map { _ in 0x80...0xBF }) }
        return result + tail
    }
}

extension ClosedRange<UInt32> {
    fileprivate func clamped(below limit: UInt32) -> ClosedRange? {
        lowerBound < limit ? lowerBound...Swift.min(upperBound, limit - 1) : nil
    }
    fileprivate func clamped(above limit: UInt32) -> ClosedRange? {
        upperBound > limit ? Swift.max(lowerBound, limit + 1)...upperBound : nil
    }
}
