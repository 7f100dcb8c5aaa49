/// Numbers between two integers, as expressions over their digits.
enum NumberRange {
    /// The largest magnitude that integers without a bound reach.
    static let largest = 999_999_999_999_999_999

    /// All integers from `low` to `high`, both within `largest`.
    static func integers(_ low: Int, _ high: Int) -> GrammarExpression {
        var choices: [GrammarExpression] = []
        if high >= 0, low <= high { choices.append(magnitudes(max(0, low), high)) }
        if low < 0, low <= high {
            choices.append(.sequence([.text("-"), magnitudes(max(1, -high), -low)]))
        }
        return .choice(choices)
    }

    /// All integers from `low` to `high`, neither negative.
    static func magnitudes(_ low: Int, _ high: Int) -> GrammarExpression {
        guard low <= high else { return .choice([]) }
        let (first, last) = (digits(low), digits(high))
        let parts = (first.count...last.count).map { count in
            let start = count == first.count ? first : [1] + [UInt8](repeating: 0, count: count - 1)
            let end = count == last.count ? last : [UInt8](repeating: 9, count: count)
            return between(start, end)
        }
        return .choice(parts)
    }

    private static func digits(_ value: Int) -> [UInt8] { String(value).utf8.map { $0 - UInt8(ascii: "0") } }

    private static func digit(_ low: UInt8, _ high: UInt8) -> GrammarExpression {
        .byte(UInt8(ascii: "0") + low...UInt8(ascii: "0") + high)
    }

    /// The digit strings from `low` to `high`, which have the same length.
    private static func between(_ low: [UInt8], _ high: [UInt8]) -> GrammarExpression {
        guard let (first, last) = low.first.flatMap({ first in high.first.map { (first, $0) } }) else { return .empty }
        let (lowRest, highRest) = (Array(low.dropFirst()), Array(high.dropFirst()))
        if first == last { return .sequence([digit(first, first), between(lowRest, highRest)]) }
        let (isLeast, isMost) = (lowRest.allSatisfy { $0 == 0 }, highRest.allSatisfy { $0 == 9 })
        let (start, end) = (isLeast ? first : first + 1, isMost ? last : last - 1)
        let nines = lowRest.map { _ in UInt8(9) }
        let zeros = lowRest.map { _ in UInt8(0) }
        var parts: [GrammarExpression] = []
        if !isLeast { parts.append(.sequence([digit(first, first), between(lowRest, nines)])) }
        if start <= end { parts.append(.sequence([digit(start, end), .digits(lowRest.count, lowRest.count)])) }
        if !isMost { parts.append(.sequence([digit(last, last), between(zeros, highRest)])) }
        return .choice(parts)
    }

    /// A bound of numbers with fractions.
    struct Bound {
        let value: Int
        let isInclusive: Bool
    }

    /// The largest magnitude of a bound of numbers with fractions.
    static let largestBound = 1_000_000_000_000

    /// All numbers between two bounds, written without exponents.
    ///
    /// Beside a bound of twelve digits three more are exact in a double, so no fraction is rounded across it.
    static func numbers(_ low: Bound?, _ high: Bound?) -> GrammarExpression {
        var choices: [GrammarExpression] = []
        let zero = Bound(value: 0, isInclusive: true)
        if (high?.value ?? 1) >= 0 {
            choices.append(decimals((low?.value ?? -1) >= 0 ? low ?? zero : zero, high))
        }
        if (low?.value ?? -1) < 0 {
            let nearest = high.flatMap { $0.value <= 0 ? Bound(value: -$0.value, isInclusive: $0.isInclusive) : nil }
            let farthest = low.map { Bound(value: -$0.value, isInclusive: $0.isInclusive) }
            choices.append(.sequence([.text("-"), decimals(nearest ?? zero, farthest)]))
        }
        return .choice(choices)
    }

    /// The decimals between two bounds that aren't negative.
    private static func decimals(_ low: Bound, _ high: Bound?) -> GrammarExpression {
        let longest = max(String(low.value).count, String(high?.value ?? 0).count)
        let places = max(1, 15 - longest)
        let fraction = GrammarExpression.sequence([.text("."), .digits(1, places)])
        let zeros = GrammarExpression.sequence([.text("."), .repetition(.text("0"), minimum: 1, maximum: places)])
        let nonzero = GrammarExpression.choice(
            (0..<places).map { place in
                let lead = GrammarExpression.repetition(.text("0"), minimum: place, maximum: place)
                return .sequence([.text("."), lead, JSONText.nonzeroDigit, .digits(0, places - 1 - place)])
            }
        )
        func whole(_ value: Int) -> GrammarExpression { .text(String(value)) }
        if let high, high.value <= low.value {
            let isPoint = high.value == low.value && high.isInclusive && low.isInclusive
            return isPoint ? .sequence([whole(low.value), .optional(zeros)]) : .choice([])
        }
        let last = (high?.value ?? largest + 1) - 1
        var choices = [
            GrammarExpression.sequence([whole(low.value), low.isInclusive ? .optional(fraction) : nonzero]),
            .sequence([magnitudes(low.value + 1, last), .optional(fraction)]),
        ]
        if let high, high.isInclusive { choices.append(.sequence([whole(high.value), .optional(zeros)])) }
        return .choice(choices)
    }

    /// All multiples of `divisor` with at most 18 digits: remainders are followed digit by digit.
    static func multiples(of divisor: Int, _ builder: inout GrammarBuilder) throws -> GrammarExpression {
        // By remainder so far: what may follow when so many digits are left.
        var rests: [GrammarExpression] = (0..<divisor).map { $0 == 0 ? .empty : .choice([]) }
        for _ in 1..<18 {
            rests = try (0..<divisor).map { remainder in
                var choices = (0...9).map { digit in
                    let next = rests[(remainder * 10 + digit) % divisor]
                    return GrammarExpression.sequence([.text(String(digit)), next])
                }
                if remainder == 0 { choices.append(.empty) }
                return try builder.add("multiple", .choice(choices))
            }
        }
        let first = (1...9).map { GrammarExpression.sequence([.text(String($0)), rests[$0 % divisor]]) }
        return .choice([.text("0"), .sequence([.optional(.text("-")), .choice(first)])])
    }
}
