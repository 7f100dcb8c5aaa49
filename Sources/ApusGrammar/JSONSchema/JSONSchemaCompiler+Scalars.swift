import ApusCore
import ApusFormats

extension JSONSchemaCompiler {
    // MARK: Strings

    func string(_ keywords: SchemaKeywords) throws -> GrammarExpression {
        let limit = builder.limits.repetition
        let minimum = try keywords.count("minLength", atMost: limit)
        let maximum = try keywords.count("maxLength", atMost: limit)
        let isMeasured = minimum != nil || maximum != nil
        if let pattern = keywords["pattern"] {
            guard !isMeasured, keywords["format"] == nil else {
                throw keywords.unsupported("pattern", "together with minLength, maxLength or format")
            }
            let place = "schema at \(keywords.pointer.shown)/pattern"
            return JSONText.quoted(try PatternParser.parse(pattern.string(), builder.limits, place: place))
        }
        if let format = keywords["format"] {
            guard !isMeasured else { throw keywords.unsupported("format", "together with minLength or maxLength") }
            return try self.format(format.string(), keywords)
        }
        guard isMeasured else { return json.string }
        if let maximum, maximum < minimum ?? 0 { return .choice([]) }
        return JSONText.quoted(.repetition(json.character, minimum: minimum ?? 0, maximum: maximum))
    }

    private func format(_ name: String, _ keywords: SchemaKeywords) throws -> GrammarExpression {
        guard let pattern = StringFormats.patterns[name] else {
            let known = StringFormats.patterns.keys.sorted().joined(separator: ", ")
            throw keywords.unsupported("format", "with \(name.shown), only with \(known)")
        }
        return JSONText.quoted(try PatternParser.parse("^(?:\(pattern))$", builder.limits, place: "format \(name)"))
    }

    // MARK: Numbers

    mutating func integer(_ keywords: SchemaKeywords) throws -> GrammarExpression {
        let bounds = try ["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"].map {
            try wholeBound($0, keywords)
        }
        let (low, high) = (
            [bounds[0], bounds[1]].compactMap { $0 }.max(), [bounds[2], bounds[3]].compactMap { $0 }.min()
        )
        guard let divisor = keywords["multipleOf"] else {
            guard low != nil || high != nil else { return json.integer }
            return NumberRange.integers(low ?? -NumberRange.largest, high ?? NumberRange.largest)
        }
        guard let divisor = try? divisor.integer(), (1...300).contains(divisor) else {
            throw keywords.unsupported("multipleOf", "other than an integer from 1 to 300")
        }
        guard low != nil || high != nil else { return try NumberRange.multiples(of: divisor, &builder) }
        guard let low, let high, low <= high, (high - low) / divisor <= 1_000 else {
            throw keywords.unsupported(
                "multipleOf",
                "with bounds, unless both are there and at most 1000 multiples fit"
            )
        }
        return .choice((low...high).filter { $0 % divisor == 0 }.map { .text(String($0)) })
    }

    /// A bound of integers, made inclusive.
    private func wholeBound(_ name: String, _ keywords: SchemaKeywords) throws -> Int? {
        guard let value = keywords[name] else { return nil }
        let isLower = name.hasSuffix("inimum")
        var bound: Int
        var isExclusive = name.hasPrefix("exclusive")
        if value.kind == .integer {
            bound = try value.integer()
        } else {
            guard let number = try? value.double(), number.magnitude < 0x1p53 else {
                throw keywords.invalid(name, "a number within 18 digits")
            }
            bound = Int(number.rounded(isLower ? .up : .down))
            isExclusive = isExclusive && number == number.rounded()
        }
        guard bound.magnitude <= NumberRange.largest else { throw keywords.invalid(name, "a number within 18 digits") }
        if isExclusive { bound += isLower ? 1 : -1 }
        return min(max(bound, -NumberRange.largest), NumberRange.largest)
    }

    func number(_ keywords: SchemaKeywords) throws -> GrammarExpression {
        guard keywords["multipleOf"] == nil else {
            throw keywords.unsupported("multipleOf", "for numbers with fractions; use type integer")
        }
        let low = try [("minimum", true), ("exclusiveMinimum", false)].compactMap { try bound($0, $1, keywords) }
            .max { ($0.value, $0.isInclusive ? 0 : 1) < ($1.value, $1.isInclusive ? 0 : 1) }
        let high = try [("maximum", true), ("exclusiveMaximum", false)].compactMap { try bound($0, $1, keywords) }
            .min { ($0.value, $0.isInclusive ? 1 : 0) < ($1.value, $1.isInclusive ? 1 : 0) }
        guard low != nil || high != nil else { return json.number }
        return NumberRange.numbers(low, high)
    }

    private func bound(_ name: String, _ isInclusive: Bool, _ keywords: SchemaKeywords) throws -> NumberRange.Bound? {
        guard let value = keywords[name] else { return nil }
        guard let number = try? value.double(), let whole = Int(exactly: number),
            whole.magnitude <= NumberRange.largestBound
        else { throw keywords.unsupported(name, "for numbers unless it is an integer of at most 10^12") }
        return NumberRange.Bound(value: whole, isInclusive: isInclusive)
    }
}

/// The formats that are enforced, as patterns; each text of them is valid by the RFC it comes from.
enum StringFormats {
    private static let year = "(?:000[1-9]|00[1-9]\\d|0[1-9]\\d\\d|[1-9]\\d{3})"
    private static let leapYear =
        "(?:\\d\\d(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
    private static let date =
        "(?:\(year)-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)"
        + "|02-(?:0[1-9]|1\\d|2[0-8]))|\(leapYear)-02-29)"
    private static let clock = "(?:[01]\\d|2[0-3]):[0-5]\\d"
    private static let time = "\(clock):[0-5]\\d(?:\\.\\d{1,6})?(?:Z|[+-]\(clock))"
    private static func label(_ most: Int) -> String { "[A-Za-z0-9](?:[A-Za-z0-9-]{0,\(most - 2)}[A-Za-z0-9])?" }
    // A name has at most 253 characters: a few long labels or many short ones.
    private static let hostname = "\(label(63))(?:\\.\(label(63))){0,2}|\(label(30))(?:\\.\(label(30))){3,7}"
    private static let octet = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"
    private static func atom(_ most: Int) -> String { "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,\(most)}" }
    // At most 64 characters before the sign, and 254 in all.
    private static let mailbox =
        "(?:\(atom(64))|\(atom(31))\\.\(atom(32))|\(atom(12))(?:\\.\(atom(12))){2,4})"
    private static let mailHost = "(?:\(label(62))(?:\\.\(label(62))){1,2}|\(label(22))(?:\\.\(label(22))){3,7})"

    static let patterns: [String: String] = [
        "date": date,
        "time": time,
        "date-time": "\(date)T\(time)",
        "uuid": "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        "ipv4": "\(octet)(?:\\.\(octet)){3}",
        "hostname": hostname,
        "email": "\(mailbox)@\(mailHost)",
    ]
}
