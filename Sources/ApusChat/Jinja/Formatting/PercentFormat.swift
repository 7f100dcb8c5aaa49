/// Python's `format % values`.
struct PercentFormat {
    private let format: [Unicode.Scalar]
    private let meter: Meter
    private let isMarkup: Bool

    init(_ format: Text, meter: Meter) throws {
        try meter.check(bytes: format.utf8.count * 4)
        self.format = Array(format.scalars)
        self.meter = meter
        isMarkup = format.isMarkup
    }

    /// One conversion such as `%-10.2f`.
    private struct Directive {
        var key: Text?
        var isLeft = false
        var hasPlus = false
        var hasSpace = false
        var isAlternate = false
        var isZeroPadded = false
        var width = 0
        var precision: Int?
        var kind: Unicode.Scalar = "s"
    }

    func render(_ values: Value) throws -> Value {
        var arguments: [Value] = [values]
        if case .tuple(let list) = values { arguments = list.items }
        var next = 0
        var usedKey = false
        func take() throws -> Value {
            guard next < arguments.count else { throw TemplateFailure("not enough arguments for format string") }
            next += 1
            return arguments[next - 1]
        }

        var result: [UInt8] = []
        var index = 0
        while index < format.count {
            try meter.check(bytes: result.count)
            guard format[index] == "%" else {
                result.append(format[index])
                index += 1
                continue
            }
            index += 1
            let directive = try parse(&index, take: take)
            if directive.kind == "%" {
                result.append("%" as Unicode.Scalar)
                continue
            }
            if let key = directive.key {
                usedKey = true
                result += try convert(try lookUp(key, in: values), directive)
            } else {
                result += try convert(try take(), directive)
            }
        }
        if !usedKey, next < arguments.count {
            let isMapping: Bool
            switch values {
            case .dict, .list, .undefined: isMapping = true
            default: isMapping = false
            }
            if !isMapping { throw TemplateFailure("not all arguments converted during string formatting") }
        }
        return try meter.text(Text(utf8: result, isMarkup: isMarkup))
    }

    private func lookUp(_ key: Text, in values: Value) throws -> Value {
        guard case .dict(let dict) = values else { throw TemplateFailure("format requires a mapping") }
        guard let value = dict.value(for: key) else { throw TemplateFailure("\(key.quoted)") }
        return value
    }

    private func parse(_ index: inout Int, take: () throws -> Value) throws -> Directive {
        var directive = Directive()
        if index < format.count, format[index] == "(" {
            guard let end = format[index...].firstIndex(of: ")") else {
                throw TemplateFailure("incomplete format key")
            }
            directive.key = Text(format[(index + 1)..<end])
            index = end + 1
        }
        flags: while index < format.count {
            switch format[index] {
            case "-": directive.isLeft = true
            case "+": directive.hasPlus = true
            case " ": directive.hasSpace = true
            case "#": directive.isAlternate = true
            case "0": directive.isZeroPadded = true
            default: break flags
            }
            index += 1
        }
        if let width = try size(&index, take: take) {
            directive.width = abs(width)
            if width < 0 { directive.isLeft = true }
        }
        if index < format.count, format[index] == "." {
            index += 1
            directive.precision = max(try size(&index, take: take) ?? 0, 0)
        }
        while index < format.count, "hlL".unicodeScalars.contains(format[index]) { index += 1 }
        guard index < format.count else { throw TemplateFailure("incomplete format") }
        directive.kind = format[index]
        index += 1
        return directive
    }

    /// A width or precision: digits, or `*` for the next argument.
    private func size(_ index: inout Int, take: () throws -> Value) throws -> Int? {
        if index < format.count, format[index] == "*" {
            index += 1
            guard let value = try take().integer else { throw TemplateFailure("* wants int") }
            try meter.check(bytes: Int(clamping: value.magnitude))
            return value
        }
        return try FormatSpec.digits(format, &index, meter: meter)
    }

    private func convert(_ value: Value, _ directive: Directive) throws -> [UInt8] {
        switch directive.kind {
        case "s", "r", "a":
            var text =
                directive.kind == "s" ? try value.printed(meter: meter) : Text(try value.representation(meter: meter))
            if directive.kind == "a" { text = text.asciiOnly }
            if isMarkup { text = text.escaped }
            if let precision = directive.precision, precision < text.count {
                text = text.slice(start: 0, step: 1, count: precision)
            }
            return FormatSpec.pad(text.utf8, to: directive.width, align: directive.isLeft ? "<" : ">")
        case "c":
            guard let scalar = try character(value) else {
                throw TemplateFailure("%c requires int or char")
            }
            return FormatSpec.pad(Array(scalar.utf8), to: directive.width, align: directive.isLeft ? "<" : ">")
        case "d", "i", "u", "x", "X", "o": return try pad(integerDigits(value, directive), directive)
        case "e", "E", "f", "F", "g", "G":
            guard let number = value.number else {
                if case .undefined(let undefined) = value { throw undefined.failure }
                throw TemplateFailure("must be real number, not \(value.typeName)")
            }
            let digits = NumberFormat.float(
                number,
                kind: directive.kind,
                precision: directive.precision ?? 6,
                keepsZeros: directive.isAlternate
            )
            return pad((number.sign == .minus && !number.isNaN, "", digits), directive)
        default:
            throw TemplateFailure("unsupported format character '\(directive.kind)'")
        }
    }

    private func character(_ value: Value) throws -> Unicode.Scalar? {
        if let integer = value.integer { return UInt32(exactly: integer).flatMap(Unicode.Scalar.init) }
        guard let text = value.text, text.count == 1 else { return nil }
        return text.scalars.first
    }

    private func integerDigits(
        _ value: Value,
        _ directive: Directive
    ) throws -> (isNegative: Bool, prefix: String, digits: String) {
        let integer: Int
        if let exact = value.integer {
            integer = exact
        } else if case .float(let float) = value, "diu".unicodeScalars.contains(directive.kind) {
            guard let truncated = Int(exactly: float.rounded(.towardZero)) else {
                throw TemplateFailure("cannot convert float to integer")
            }
            integer = truncated
        } else if case .undefined(let undefined) = value {
            throw undefined.failure
        } else {
            throw TemplateFailure("%\(directive.kind) format: a number is required, not \(value.typeName)")
        }
        let (radix, prefix) =
            switch directive.kind {
            case "x": (16, "0x")
            case "X": (16, "0X")
            case "o": (8, "0o")
            default: (10, "")
            }
        var digits = String(integer.magnitude, radix: radix, uppercase: directive.kind == "X")
        if let precision = directive.precision, digits.count < precision {
            digits = String(repeating: "0", count: precision - digits.count) + digits
        }
        return (integer < 0, directive.isAlternate ? prefix : "", digits)
    }

    private func pad(
        _ number: (isNegative: Bool, prefix: String, digits: String),
        _ directive: Directive
    ) -> [UInt8] {
        let sign = number.isNegative ? "-" : directive.hasPlus ? "+" : directive.hasSpace ? " " : ""
        let head = sign + number.prefix
        var digits = number.digits
        if directive.isZeroPadded, !directive.isLeft {
            digits = String(repeating: "0", count: max(0, directive.width - head.count - digits.count)) + digits
        }
        return FormatSpec.pad(Array((head + digits).utf8), to: directive.width, align: directive.isLeft ? "<" : ">")
    }
}

extension Text {
    /// The string with every character outside ASCII as a Python escape.
    var asciiOnly: Text {
        var result: [UInt8] = []
        for scalar in scalars {
            if scalar.isASCII { result.append(scalar) } else { result += scalar.escape.utf8 }
        }
        return Text(utf8: result)
    }
}
