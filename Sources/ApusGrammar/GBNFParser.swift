import ApusCore

/// Reads llama.cpp's notation for grammars: `name ::= "text" [a-z] (a | b)* other{2,3} .` and `#` comments.
///
/// The rule `root` is the whole text. Escapes are those of llama.cpp: `\n \r \t \\ \" \[ \] \xNN \uNNNN \UNNNNNNNN`,
/// each a code point. References to tokens (`<name>`) are refused.
package struct GBNFParser {
    private let text: [Unicode.Scalar]
    private var position = 0
    private var builder: GrammarBuilder
    private var rules: [String: Int] = [:]
    private var depth = 0

    /// The rules of a grammar.
    /// - Throws: `ApusError` with code `invalidArgument` or `unsupported`, naming line and column.
    package static func parse(_ text: String, limits: GrammarLimits = GrammarLimits()) throws -> GrammarRules {
        var builder = GrammarBuilder(limits: limits, source: "grammar")
        let root = try builder.gbnf(text)
        return try builder.grammar(root)
    }

    private init(_ text: String, _ builder: GrammarBuilder) {
        self.text = Array(text.unicodeScalars)
        self.builder = builder
    }

    /// Adds the rules of a text to a grammar.
    static func add(_ text: String, to builder: inout GrammarBuilder) throws -> GrammarExpression {
        let limit = builder.limits.textByteCount
        guard text.utf8.count <= limit else {
            throw ApusError(.invalidArgument, "grammar: expected at most \(limit) bytes, found \(text.utf8.count)")
        }
        var parser = GBNFParser(text, builder)
        let root = try parser.parse()
        builder = parser.builder
        return .rule(root)
    }

    /// Reads all rules.
    /// - Returns: the one named root.
    private mutating func parse() throws -> Int {
        skipSpace(acrossLines: true)
        while position < text.count {
            let name = try ruleName()
            skipSpace(acrossLines: false)
            try expect("::=")
            skipSpace(acrossLines: true)
            let rule = try rule(name)
            guard !builder.isDefined(rule) else { throw error("expected each rule once, found a second \(name)") }
            let body = try alternatives()
            guard position == text.count || isNewline else { throw error("expected the end of the line") }
            try builder.define(rule, as: body)
            skipSpace(acrossLines: true)
        }
        guard let root = rules["root"] else { throw error("expected a rule named root, found none") }
        return root
    }

    private mutating func rule(_ name: String) throws -> Int {
        if let rule = rules[name] { return rule }
        let rule = try builder.declare(name)
        rules[name] = rule
        return rule
    }

    // MARK: Expressions

    private mutating func alternatives() throws -> GrammarExpression {
        var parts = [try sequence()]
        while peek == "|" {
            position += 1
            skipSpace(acrossLines: true)
            parts.append(try sequence())
        }
        return parts.count == 1 ? parts[0] : .choice(parts)
    }

    private mutating func sequence() throws -> GrammarExpression {
        var parts: [GrammarExpression] = []
        while let item = try item() {
            skipSpace(acrossLines: depth > 0)
            parts.append(try repeated(item))
            skipSpace(acrossLines: depth > 0)
        }
        return parts.count == 1 ? parts[0] : .sequence(parts)
    }

    /// A part of a sequence; nil where none begins.
    private mutating func item() throws -> GrammarExpression? {
        switch peek {
        case "\"": return try literal()
        case "[": return try characterClass()
        case "(": return try group()
        case ".":
            position += 1
            return CodePointSet.all.expression
        case "<", "!":
            throw ApusError(.unsupported, "\(place): references to tokens are not supported; write their text")
        case let letter? where Self.isNameLetter(letter):
            return .rule(try rule(try ruleName()))
        default: return nil
        }
    }

    private mutating func group() throws -> GrammarExpression {
        guard depth < builder.limits.nestingDepth else {
            throw error("expected at most \(builder.limits.nestingDepth) nested groups")
        }
        depth += 1
        position += 1
        skipSpace(acrossLines: true)
        let body = try alternatives()
        try expect(")")
        depth -= 1
        return body
    }

    private mutating func repeated(_ item: GrammarExpression) throws -> GrammarExpression {
        let range: (minimum: Int, maximum: Int?)
        switch peek {
        case "*": range = (0, nil)
        case "+": range = (1, nil)
        case "?": range = (0, 1)
        case "{": range = try bounds()
        default: return item
        }
        position += 1
        if let last = peek, "*+?{".unicodeScalars.contains(last) { throw error("expected one repetition sign") }
        return .repetition(item, minimum: range.minimum, maximum: range.maximum)
    }

    /// Reads `{m}`, `{m,}` or `{m,n}` up to its closing brace.
    private mutating func bounds() throws -> (Int, Int?) {
        position += 1
        let minimum = try number()
        skipSpace(acrossLines: depth > 0)
        var maximum: Int? = minimum
        if peek == "," {
            position += 1
            skipSpace(acrossLines: depth > 0)
            maximum = peek == "}" ? nil : try number()
            skipSpace(acrossLines: depth > 0)
        }
        guard peek == "}" else { throw error("expected }") }
        if let maximum, maximum < minimum { throw error("expected bounds in order") }
        return (minimum, maximum)
    }

    private mutating func number() throws -> Int {
        var value: Int?
        while let digit = peek, ("0"..."9").contains(digit) {
            value = (value ?? 0) * 10 + Int(digit.value) - 48
            position += 1
            guard let value, value <= builder.limits.repetition else {
                throw error("expected a repetition of at most \(builder.limits.repetition)")
            }
        }
        guard let value else { throw error("expected a number") }
        return value
    }

    // MARK: Characters

    private mutating func literal() throws -> GrammarExpression {
        position += 1
        var bytes: [UInt8] = []
        while peek != "\"" { bytes += Array(String(try character()).utf8) }
        position += 1
        return .literal(bytes)
    }

    private mutating func characterClass() throws -> GrammarExpression {
        position += 1
        let isNegated = peek == "^"
        if isNegated { position += 1 }
        var ranges: [ClosedRange<UInt32>] = []
        while peek != "]" {
            let low = try character()
            var high = low
            if peek == "-", position + 1 < text.count, text[position + 1] != "]" {
                position += 1
                high = try character()
            }
            guard low <= high else { throw error("expected a range in order") }
            ranges.append(low.value...high.value)
        }
        position += 1
        let set = CodePointSet(ranges)
        return (isNegated ? set.inverted : set).expression
    }

    private mutating func character() throws -> Unicode.Scalar {
        guard let scalar = peek, scalar != "\n", scalar != "\r" else { throw error("expected a closing quote or ]") }
        position += 1
        guard scalar == "\\" else { return scalar }
        let letter = peek
        position += 1
        switch letter {
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "\\", "\"", "[", "]": return letter ?? scalar
        case "x": return try hexadecimal(2)
        case "u": return try hexadecimal(4)
        case "U": return try hexadecimal(8)
        default:
            position -= 1
            throw error("expected one of n r t \\ \" [ ] x u U after a backslash")
        }
    }

    private mutating func hexadecimal(_ count: Int) throws -> Unicode.Scalar {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let scalar = peek, scalar.isASCII, let digit = Character(scalar).hexDigitValue else {
                throw error("expected \(count) hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        guard let scalar = Unicode.Scalar(value) else { throw error("expected a Unicode scalar value") }
        return scalar
    }

    // MARK: Words

    private var peek: Unicode.Scalar? { position < text.count ? text[position] : nil }
    private var isNewline: Bool { peek == "\n" || peek == "\r" }

    private static func isNameLetter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "-", "_": true
        default: false
        }
    }

    private mutating func ruleName() throws -> String {
        var name = String.UnicodeScalarView()
        while let scalar = peek, Self.isNameLetter(scalar) {
            name.append(scalar)
            position += 1
        }
        guard !name.isEmpty else { throw error("expected a rule's name") }
        return String(name)
    }

    private mutating func expect(_ word: String) throws {
        for scalar in word.unicodeScalars {
            guard peek == scalar else { throw error("expected \(word)") }
            position += 1
        }
    }

    private mutating func skipSpace(acrossLines: Bool) {
        while let scalar = peek {
            if scalar == "#" {
                while peek != nil, !isNewline { position += 1 }
            } else if scalar == " " || scalar == "\t" || acrossLines && isNewline {
                position += 1
            } else {
                return
            }
        }
    }

    private var place: String {
        let before = text.prefix(position)
        let line = before.count { $0 == "\n" } + 1
        let column = position - (before.lastIndex(of: "\n").map { $0 + 1 } ?? 0) + 1
        return "grammar line \(line):\(column)"
    }

    private func error(_ message: String) -> ApusError { ApusError(.invalidArgument, "\(place): \(message)") }
}
