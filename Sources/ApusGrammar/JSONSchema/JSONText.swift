/// The parts of JSON texts that schemas are made of, as expressions.
///
/// White space stands after `{`, `[`, `,` and `:` and before `}` and `]`, and is nothing, one space, or a newline with up
/// to 20 spaces. Numbers are bounded so that readers of 64-bit integers and doubles keep them: 18 digits in integers;
/// 16 digits, 24 fraction digits and a finite exponent in numbers.
struct JSONText {
    /// How deep a value that no schema describes may nest.
    static let freeDepth = 32

    let space: GrammarExpression
    /// One character of a string in any spelling; an escaped pair of surrogates counts as one.
    let character: GrammarExpression
    let string: GrammarExpression
    let number: GrammarExpression
    let integer: GrammarExpression
    let comma: GrammarExpression
    let colon: GrammarExpression
    /// Any value, any object and any array, up to `freeDepth`.
    let value: GrammarExpression
    let object: GrammarExpression
    let array: GrammarExpression

    static let boolean = GrammarExpression.choice([.text("true"), .text("false")])
    static let null = GrammarExpression.text("null")

    init(_ builder: inout GrammarBuilder) throws {
        let spaces = GrammarExpression.repetition(.text(" "), minimum: 0, maximum: 20)
        space = try builder.add("space", .choice([.empty, .text(" "), .sequence([.text("\n"), spaces])]))
        comma = .sequence([.text(","), space])
        colon = .sequence([.text(":"), space])
        character = try builder.add("character", .choice([CodePointSet.plain.expression, Self.escape]))
        string = try builder.add("string", Self.quoted(.repetition(character, minimum: 0, maximum: nil)))
        integer = try builder.add("integer", Self.freeInteger(18))
        number = try builder.add("number", Self.freeNumber)
        var (value, object, array) = (
            GrammarExpression.choice([]), GrammarExpression.text("{}"), GrammarExpression.text("[]")
        )
        let scalars = [string, number, Self.boolean, Self.null]
        for depth in 0...Self.freeDepth {
            if depth > 0 {
                let member = GrammarExpression.sequence([string, colon, value])
                object = try builder.add("object", Self.list("{", member, "}", comma, space))
                array = try builder.add("array", Self.list("[", value, "]", comma, space))
            }
            value = try builder.add("value", .choice(scalars + (depth > 0 ? [object, array] : [])))
        }
        (self.value, self.object, self.array) = (value, object, array)
    }

    static func quoted(_ body: GrammarExpression) -> GrammarExpression {
        .sequence([.text("\""), body, .text("\"")])
    }

    private static func list(
        _ open: String,
        _ item: GrammarExpression,
        _ close: String,
        _ comma: GrammarExpression,
        _ space: GrammarExpression
    ) -> GrammarExpression {
        let more = GrammarExpression.repetition(.sequence([comma, item]), minimum: 0, maximum: nil)
        return .sequence([.text(open), space, .optional(.sequence([item, more])), space, .text(close)])
    }

    // MARK: Numbers

    static let nonzeroDigit = GrammarExpression.byte(UInt8(ascii: "1")...UInt8(ascii: "9"))
    private static let minus = GrammarExpression.optional(.text("-"))

    private static func freeInteger(_ digits: Int) -> GrammarExpression {
        let positive = GrammarExpression.sequence([nonzeroDigit, .digits(0, digits - 1)])
        return .sequence([minus, .choice([.text("0"), positive])])
    }

    /// Finite numbers: three digits of exponent need one digit before the point.
    private static var freeNumber: GrammarExpression {
        let fraction = GrammarExpression.optional(.sequence([.text("."), .digits(1, 24)]))
        let letter = GrammarExpression.choice([.text("e"), .text("E")])
        let sign = GrammarExpression.optional(.choice([.text("+"), .text("-")]))
        let short = GrammarExpression.optional(.sequence([letter, sign, .digits(1, 2)]))
        let hundreds = GrammarExpression.sequence([
            .byte(UInt8(ascii: "1")...UInt8(ascii: "2")), .digits(2, 2),
        ])
        let most = GrammarExpression.sequence([.text("30"), .byte(UInt8(ascii: "0")...UInt8(ascii: "7"))])
        let plus = GrammarExpression.optional(.text("+"))
        // Small numbers become zero, which is no harm.
        let exponent = GrammarExpression.choice([
            .sequence([plus, .choice([hundreds, most])]), .sequence([.text("-"), .digits(3, 3)]),
        ])
        let long = GrammarExpression.sequence([letter, exponent])
        return .choice([
            .sequence([freeInteger(16), fraction, short]),
            .sequence([minus, nonzeroDigit, fraction, long]),
            .sequence([minus, .text("1"), .optional(largestFraction), letter, plus, .text("308")]),
        ])
    }

    /// A fraction up to that of the largest double, 1.7976931348623157e308.
    private static var largestFraction: GrammarExpression {
        var rest = GrammarExpression.empty
        for (place, digit) in "7976931348623157".utf8.enumerated().reversed() {
            let less = GrammarExpression.sequence([.byte(UInt8(ascii: "0")...digit - 1), .digits(0, 23 - place)])
            rest = .choice([less, .sequence([.byte(digit...digit), .optional(rest)])])
        }
        return .sequence([.text("."), rest])
    }

    // MARK: Strings

    private static func hexadecimal(_ ranges: String...) -> GrammarExpression {
        .choice(
            ranges.compactMap { range in
                guard let low = range.utf8.first, let high = range.utf8.last else { return nil }
                return .byte(low...high)
            }
        )
    }

    private static var escape: GrammarExpression {
        let hex = hexadecimal("09", "af", "AF")
        let d = hexadecimal("dd", "DD")
        let plain = GrammarExpression.choice([
            .sequence([hexadecimal("09", "ac", "AC", "ef", "EF"), hex, hex, hex]),
            .sequence([d, hexadecimal("07"), hex, hex]),
        ])
        let pair = GrammarExpression.sequence([
            d, hexadecimal("89", "ab", "AB"), hex, hex, .text("\\u"), d, hexadecimal("cf", "CF"), hex, hex,
        ])
        let letters = GrammarExpression.choice("\"\\/bfnrt".utf8.map { .literal([$0]) })
        return .sequence([.text("\\"), .choice([letters, .sequence([.text("u"), .choice([plain, pair])])])])
    }

    /// A string's characters of a set, each spelled as itself, or escaped where JSON demands it.
    static func character(in set: CodePointSet) -> GrammarExpression {
        var choices: [GrammarExpression] = []
        let plain = set.intersection(.plain)
        if !plain.ranges.isEmpty { choices.append(plain.expression) }
        for range in set.subtracting(.plain).ranges {
            for value in range { choices += spellings(value).map { .text($0) } }
        }
        return choices.count == 1 ? choices[0] : .choice(choices)
    }

    /// How a string may spell a character that can't stand for itself; the first is the usual way.
    private static func spellings(_ value: UInt32) -> [String] {
        let short: [UInt32: String] = [
            0x22: "\\\"", 0x5C: "\\\\", 0x08: "\\b", 0x0C: "\\f", 0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t",
        ]
        let digits = String(value, radix: 16)
        let long = value < 0x20 ? ["\\u" + String(repeating: "0", count: 4 - digits.count) + digits] : []
        return (short[value].map { [$0] } ?? []) + long
    }

    /// A string as a literal.
    static func literal(_ text: String) -> String {
        let characters = text.unicodeScalars.map { spellings($0.value).first ?? String($0) }
        return "\"" + characters.joined() + "\""
    }
}

extension CodePointSet {
    /// What stands for itself in a JSON string.
    static let plain = CodePointSet([0x20...0x21, 0x23...0x5B, 0x5D...0x10FFFF])
}
