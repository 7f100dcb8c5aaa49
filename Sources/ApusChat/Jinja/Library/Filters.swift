/// Filters: what follows `|`.
enum Filters {
    typealias Filter = @Sendable (Value, Arguments, Interpreter) throws -> Value

    static let table: [String: Filter] = {
        var table = text.merging(sequences) { $1 }.merging(lazy) { $1 }.merging(ordering) { $1 }
            .merging(numbers) { $1 }.merging(values) { $1 }
        for name in withoutArguments {
            guard let filter = table[name] else { continue }
            table[name] = { value, arguments, interpreter in
                _ = try arguments.exactly(name, 0...0)
                return try filter(value, arguments, interpreter)
            }
        }
        for (alias, name) in ["d": "default", "e": "escape", "count": "length"] { table[alias] = table[name] }
        return table
    }()

    private static let withoutArguments = [
        "abs", "capitalize", "escape", "first", "forceescape", "items", "last", "length", "list", "lower", "reverse",
        "safe", "string", "title", "upper", "urlencode", "wordcount",
    ]

    /// Filters about any value.
    private static let values: [String: Filter] = [
        "default": { value, arguments, _ in
            let bound = try arguments.bind("default", ["default_value", "boolean"])
            let isMissing = value.isUndefined || (bound[1]?.isTruthy ?? false) && !value.isTruthy
            return isMissing ? bound[0] ?? .string("") : value
        },
        "attr": { value, arguments, interpreter in
            let name = try arguments.bind("attr", ["name"], required: 1)[0]?.requireText("attr()") ?? ""
            if case .dict = value, DictMethods.table[name.string] == nil {
                return .undefined(Undefined(.string(name), of: value))
            }
            return try interpreter.attribute(name, of: value)
        },
        "string": { value, _, interpreter in try interpreter.meter.text(try value.printed(meter: interpreter.meter)) },
        "tojson": { value, arguments, interpreter in
            try interpreter.meter.text(try TemplateJSON(arguments, meter: interpreter.meter).encode(value))
        },
        "length": { value, _, _ in
            guard let length = try value.length() else {
                throw TemplateFailure("object of type '\(value.typeName)' has no len()")
            }
            return .int(length)
        },
        "items": { value, _, interpreter in
            if value.isUndefined { return .object(try GeneratorValue(over: value) { nil }) }
            var items: ValueIterator?
            return .object(
                try GeneratorValue(over: value) { [unowned interpreter] in
                    guard case .dict(let dict) = value else {
                        throw TemplateFailure("Can only get item pairs from a mapping.")
                    }
                    let iterator = try items ?? ValueIterator(dict.items(meter: interpreter.meter))
                    items = iterator
                    return try iterator.next()
                }
            )
        },
        "list": { value, _, interpreter in
            if case .list = value { return value }
            return try interpreter.meter.list(try value.elements(meter: interpreter.meter))
        },
    ]

    /// `int`, `float` and arithmetic.
    private static let numbers: [String: Filter] = [
        "int": { value, arguments, _ in
            let bound = try arguments.bind("int", ["default", "base"])
            let base = try bound[1]?.requireInteger() ?? 10
            return try NumberParsing.integer(value, base: base).map(Value.int) ?? bound[0] ?? .int(0)
        },
        "float": { value, arguments, _ in
            let fallback = try arguments.bind("float", ["default"])[0] ?? .float(0)
            return try NumberParsing.float(value).map(Value.float) ?? fallback
        },
        "abs": { value, _, _ in
            if let number = value.integer, number < 0 { return try value.negated() }
            if let number = value.integer { return .int(number) }
            if case .float(let number) = value { return .float(number.magnitude) }
            throw TemplateFailure("bad operand type for abs(): '\(value.typeName)'")
        },
        "round": { value, arguments, interpreter in try round(value, arguments, interpreter.meter) },
        "sum": { value, arguments, interpreter in
            let bound = try arguments.bind("sum", ["attribute", "start"])
            let getter = AttributeGetter(bound[0], interpreter)
            let source = try value.iterator(meter: interpreter.meter)
            var sum = bound[1] ?? .int(0)
            if sum.text != nil { throw TemplateFailure("sum() can't sum strings [use ''.join(seq) instead]") }
            while let item = try source.next() {
                sum = try Value.apply(.add, sum, try getter.get(item), meter: interpreter.meter)
            }
            return sum
        },
        "filesizeformat": { value, arguments, interpreter in
            let isBinary = try arguments.bind("filesizeformat", ["binary"])[0]?.isTruthy ?? false
            guard let bytes = try NumberParsing.float(value) else {
                throw TemplateFailure("could not convert '\(value.typeName)' to float")
            }
            return .string(Text(fileSize(bytes, base: isBinary ? 1024 : 1000, infix: isBinary ? "i" : "")))
        },
    ]

    private static func round(_ value: Value, _ arguments: Arguments, _ meter: Meter) throws -> Value {
        let bound = try arguments.bind("round", ["precision", "method"])
        let precision = try bound[0]?.requireInteger() ?? 0
        let method = try bound[1]?.requireText("round()").string ?? "common"
        guard let number = value.number else {
            if case .undefined(let undefined) = value { throw undefined.failure }
            throw TemplateFailure("type \(value.typeName) doesn't define __round__ method")
        }
        switch method {
        case "common":
            guard let integer = value.integer else { return .float(number.rounded(toDigits: precision)) }
            if precision >= 0 { return .int(integer) }
            guard let rounded = Int(exactly: Double(integer).rounded(toDigits: precision)) else {
                throw TemplateFailure("integer result does not fit 64 bits")
            }
            return .int(rounded)
        case "ceil", "floor":
            let factor = try Value.apply(.power, .int(10), .int(precision), meter: meter)
            let scaled = try Value.apply(.multiply, value, factor, meter: meter).number ?? 0
            guard let whole = Int(exactly: scaled.rounded(method == "ceil" ? .up : .down)) else {
                throw TemplateFailure("cannot convert float to integer")
            }
            return try Value.apply(.divide, .int(whole), factor, meter: meter)
        default: throw TemplateFailure("method must be common, ceil or floor")
        }
    }

    private static func fileSize(_ bytes: Double, base: Double, infix: String) -> String {
        if bytes == 1 { return "1 Byte" }
        if bytes < base { return "\(Int(exactly: bytes.rounded(.towardZero)) ?? 0) Bytes" }
        var unit = base
        let prefixes = [infix.isEmpty ? "k" : "K", "M", "G", "T", "P", "E", "Z", "Y"]
        for (index, prefix) in prefixes.enumerated() {
            if bytes < unit * base || index == prefixes.count - 1 {
                return "\(ExactDecimal(bytes / unit).fixed(precision: 1)) \(prefix)\(infix)B"
            }
            unit *= base
        }
        return ""
    }
}

/// Numbers in text, as Python's `int` and `float` read them.
enum NumberParsing {
    /// The `int` filter's result; nil for its default.
    static func integer(_ value: Value, base: Int) throws -> Int? {
        if let integer = value.integer { return integer }
        if case .undefined(let undefined) = value { throw undefined.failure }
        if let text = value.text, let integer = try integer(text, base: base) { return integer }
        guard let number = try float(value) else { return nil }
        if number.isInfinite, value.text == nil { throw TemplateFailure("cannot convert float infinity to integer") }
        if !number.isFinite { return nil }
        guard let integer = Int(exactly: number.rounded(.towardZero)) else {
            throw TemplateFailure("integer does not fit 64 bits")
        }
        return integer
    }

    private static func integer(_ text: Text, base: Int) throws -> Int? {
        guard base == 0 || (2...36).contains(base) else { return nil }
        var digits = Substring(withASCIIDigits(text.stripped(.both).string))
        let isNegative = digits.first == "-"
        if isNegative || digits.first == "+" { digits = digits.dropFirst() }
        var radix = base
        for (prefix, prefixRadix) in [("0x", 16), ("0o", 8), ("0b", 2)] where base == prefixRadix || base == 0 {
            if digits.lowercased().hasPrefix(prefix) {
                digits = digits.dropFirst(2)
                if digits.first == "_" { digits = digits.dropFirst() }
                radix = prefixRadix
            }
        }
        if radix == 0 { radix = 10 }
        guard let plain = withoutUnderscores(digits), plain.first?.isHexDigit ?? false || radix > 16 else { return nil }
        let isNumber = plain.allSatisfy {
            $0.isASCII && ($0.isLetter || $0.isNumber) && Int(String($0), radix: radix) != nil
        }
        if !isNumber || plain.isEmpty { return nil }
        guard let integer = Int((isNegative ? "-" : "") + plain, radix: radix) else {
            throw TemplateFailure("integer does not fit 64 bits")
        }
        return integer
    }

    /// The `float` filter's result; nil for its default.
    static func float(_ value: Value) throws -> Double? {
        if let number = value.number { return number }
        if case .undefined(let undefined) = value { throw undefined.failure }
        guard let text = value.text else { return nil }
        let lowered = withASCIIDigits(text.stripped(.both).string).lowercased()
        let magnitude = lowered.first == "-" || lowered.first == "+" ? lowered.dropFirst() : lowered[...]
        if ["inf", "infinity", "nan"].contains(magnitude) { return Double(lowered) }
        guard let plain = withoutUnderscores(lowered[...]) else { return nil }
        let isPlain = plain.utf8.allSatisfy { (0x30...0x39).contains($0) || "+-.e".utf8.contains($0) }
        return isPlain ? Double(plain) ?? Double(plain + (plain.hasSuffix(".") ? "0" : "")) : nil
    }

    /// The text with decimal digits of all scripts written in ASCII.
    private static func withASCIIDigits(_ text: String) -> String {
        guard !text.utf8.allSatisfy({ $0 < 0x80 }) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let value = scalar.properties.numericType == .decimal ? scalar.properties.numericValue : nil
            result.append(value.map { Unicode.Scalar(0x30 + UInt8($0)) } ?? scalar)
        }
        return String(result)
    }

    /// The digits without underscores, which may stand only between digits.
    private static func withoutUnderscores(_ text: Substring) -> String? {
        var previous: Character = "_"
        for character in text {
            if character == "_", !previous.isHexDigit { return nil }
            if previous == "_", character == "." { return nil }
            previous = character
        }
        return previous == "_" ? nil : text.filter { $0 != "_" }
    }
}
