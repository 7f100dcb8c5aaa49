import ApusCore

/// Reads the subset of ECMA-262 regular expressions that describes regular languages, over the characters of a JSON
/// string.
///
/// Characters, `.`, classes, `\d \w \s` and their complements, groups, alternation and repetition. `^` and `$` stand at
/// the ends of a whole alternative only. References, assertions and properties are refused.
struct PatternParser {
    private let text: [Unicode.Scalar]
    private var position = 0
    private var depth = 0
    private let limits: GrammarLimits
    private let place: String

    /// What a string must be made of, between its quotes, to have a match of a pattern somewhere in it.
    static func parse(_ pattern: String, _ limits: GrammarLimits, place: String) throws -> GrammarExpression {
        var parser = PatternParser(text: Array(pattern.unicodeScalars), limits: limits, place: place)
        var choices: [GrammarExpression] = []
        let anything = GrammarExpression.repetition(JSONText.character(in: .all), minimum: 0, maximum: nil)
        repeat {
            let isAtStart = parser.take("^")
            let body = try parser.sequence()
            let isAtEnd = parser.take("$")
            choices.append(.sequence((isAtStart ? [] : [anything]) + [body] + (isAtEnd ? [] : [anything])))
        } while parser.take("|")
        guard parser.peek == nil else { throw parser.unsupported("this") }
        return .choice(choices)
    }

    private init(text: [Unicode.Scalar], limits: GrammarLimits, place: String) {
        (self.text, self.limits, self.place) = (text, limits, place)
    }

    private var peek: Unicode.Scalar? { position < text.count ? text[position] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard peek == scalar else { return false }
        position += 1
        return true
    }

    private func unsupported(_ what: String) -> ApusError {
        let rest = String(String.UnicodeScalarView(text[min(position, text.count)...].prefix(10)))
        return ApusError(.unsupported, "\(place): \(what) is not supported at character \(position + 1), \"\(rest)\"")
    }

    private mutating func sequence() throws -> GrammarExpression {
        var parts: [GrammarExpression] = []
        while let scalar = peek, scalar != "|", scalar != ")", scalar != "$" { parts.append(try repeated(item())) }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    private mutating func item() throws -> GrammarExpression {
        switch peek {
        case "(": return try group()
        case "[": return JSONText.character(in: try characterClass())
        case ".":
            position += 1
            return JSONText.character(in: Self.lineEnds.inverted)
        case "\\":
            return JSONText.character(in: try escape(inClass: false))
        case "^", "*", "+", "?", "{", "}", "]", nil: throw unsupported("this sign here")
        case let scalar?:
            position += 1
            return JSONText.character(in: CodePointSet([scalar.value...scalar.value]))
        }
    }

    private mutating func group() throws -> GrammarExpression {
        guard depth < limits.nestingDepth else { throw unsupported("nesting deeper than \(limits.nestingDepth)") }
        depth += 1
        position += 1
        if take("?"), !take(":") { throw unsupported("this kind of group") }
        var choices: [GrammarExpression] = []
        repeat { choices.append(try sequence()) } while take("|")
        guard take(")") else { throw unsupported("an open group or inner anchor") }
        depth -= 1
        return .choice(choices)
    }

    private mutating func repeated(_ item: GrammarExpression) throws -> GrammarExpression {
        let range: (Int, Int?)
        if take("*") {
            range = (0, nil)
        } else if take("+") {
            range = (1, nil)
        } else if take("?") {
            range = (0, 1)
        } else if take("{") {
            range = try bounds()
        } else {
            return item
        }
        // Laziness changes which match is found, not whether there is one.
        _ = take("?")
        if let next = peek, "*+?{".unicodeScalars.contains(next) { throw unsupported("a second repetition sign") }
        return .repetition(item, minimum: range.0, maximum: range.1)
    }

    private mutating func bounds() throws -> (Int, Int?) {
        let minimum = try number()
        var maximum: Int? = minimum
        if take(",") { maximum = peek == "}" ? nil : try number() }
        guard take("}"), maximum.map({ $0 >= minimum }) ?? true else { throw unsupported("this repetition") }
        return (minimum, maximum)
    }

    private mutating func number() throws -> Int {
        var value: Int?
        while let digit = peek, ("0"..."9").contains(digit) {
            value = (value ?? 0) * 10 + Int(digit.value) - 48
            position += 1
            guard let value, value <= limits.repetition else { throw unsupported("so large a repetition") }
        }
        guard let value else { throw unsupported("this repetition") }
        return value
    }

    // MARK: Characters

    private mutating func characterClass() throws -> CodePointSet {
        position += 1
        let isNegated = take("^")
        var ranges: [ClosedRange<UInt32>] = []
        while !take("]") {
            let low = try classMember()
            guard peek == "-", position + 1 < text.count, text[position + 1] != "]" else {
                ranges += low.ranges
                continue
            }
            position += 1
            let high = try classMember()
            guard let first = low.single, let last = high.single, first <= last else { throw unsupported("this range") }
            ranges.append(first...last)
        }
        let set = CodePointSet(ranges)
        return isNegated ? set.inverted : set
    }

    private mutating func classMember() throws -> CodePointSet {
        guard let scalar = peek else { throw unsupported("an open class") }
        if scalar == "\\" { return try escape(inClass: true) }
        position += 1
        return CodePointSet([scalar.value...scalar.value])
    }

    private static let digits = CodePointSet([0x30...0x39])
    private static let word = CodePointSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    private static let lineEnds = CodePointSet([0x0A...0x0A, 0x0D...0x0D, 0x2028...0x2029])
    private static let spaces = CodePointSet([
        0x09...0x0D, 0x20...0x20, 0xA0...0xA0, 0x1680...0x1680, 0x2000...0x200A, 0x2028...0x2029, 0x202F...0x202F,
        0x205F...0x205F, 0x3000...0x3000, 0xFEFF...0xFEFF,
    ])

    private mutating func escape(inClass: Bool) throws -> CodePointSet {
        position += 1
        guard let letter = peek else { throw unsupported("a backslash at the end") }
        position += 1
        let controls: [Unicode.Scalar: UInt32] = ["n": 0x0A, "r": 0x0D, "t": 0x09, "f": 0x0C, "v": 0x0B]
        switch letter {
        case "d": return Self.digits
        case "D": return Self.digits.inverted
        case "w": return Self.word
        case "W": return Self.word.inverted
        case "s": return Self.spaces
        case "S": return Self.spaces.inverted
        case "x": return try hexadecimal(2)
        case "u": return try hexadecimal(4)
        default: break
        }
        if let value = controls[letter] { return CodePointSet([value...value]) }
        guard letter.isASCII, !Self.word.contains(letter.value) else {
            position -= 1
            throw unsupported("this escape")
        }
        return CodePointSet([letter.value...letter.value])
    }

    private mutating func hexadecimal(_ count: Int) throws -> CodePointSet {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let scalar = peek, scalar.isASCII, let digit = Character(scalar).hexDigitValue else {
                throw unsupported("this escape")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        guard Unicode.Scalar(value) != nil else { throw unsupported("half a surrogate pair") }
        return CodePointSet([value...value])
    }
}

extension CodePointSet {
    /// The only member of a set with one.
    var single: UInt32? {
        guard ranges.count == 1, ranges[0].count == 1 else { return nil }
        return ranges[0].lowerBound
    }

    func contains(_ value: UInt32) -> Bool { ranges.contains { $0.contains(value) } }
}
