/// The format specification of `str.format` ("Format Specification Mini-Language").
struct FormatSpec {
    private var fill: Unicode.Scalar = " "
    private var align: Unicode.Scalar?
    private var sign: Unicode.Scalar = "-"
    private var isAlternate = false
    /// Zeros between a number's sign and its digits.
    private var isZeroPadded = false
    private var width = 0
    private var separator: String?
    private var precision: Int?
    private var kind: Unicode.Scalar?

    init(_ text: Text, meter: Meter) throws {
        let spec = Array(text.scalars)
        var index = 0
        func peek(_ offset: Int = 0) -> Unicode.Scalar? { index + offset < spec.count ? spec[index + offset] : nil }
        let alignments: Set<Unicode.Scalar> = ["<", ">", "=", "^"]
        if let next = peek(1), alignments.contains(next) {
            (fill, align) = (spec[index], next)
            index += 2
        } else if let next = peek(), alignments.contains(next) {
            align = next
            index += 1
        }
        if let next = peek(), next == "+" || next == "-" || next == " " {
            sign = next
            index += 1
        }
        if peek() == "#" {
            isAlternate = true
            index += 1
        }
        if peek() == "0" {
            if align == nil { (fill, isZeroPadded) = ("0", true) }
            index += 1
        }
        width = try FormatSpec.digits(spec, &index, meter: meter) ?? 0
        if let next = peek(), next == "," || next == "_" {
            separator = String(next)
            index += 1
        }
        if peek() == "." {
            index += 1
            guard let digits = try FormatSpec.digits(spec, &index, meter: meter) else {
                throw TemplateFailure("Format specifier missing precision")
            }
            precision = digits
        }
        kind = peek()
        if index + 1 < spec.count { throw TemplateFailure("Invalid format specifier") }
    }

    /// Reads decimal digits, as far as a result of that many characters stays within the allowance.
    static func digits(_ spec: [Unicode.Scalar], _ index: inout Int, meter: Meter) throws -> Int? {
        var value: Int?
        while index < spec.count, (0x30...0x39).contains(spec[index].value) {
            let next = (value ?? 0) * 10 + Int(spec[index].value - 0x30)
            try meter.check(bytes: next * 4)
            value = next
            index += 1
        }
        return value
    }

    func format(_ value: Value, meter: Meter) throws -> [UInt8] {
        switch value {
        case .string(let text): return try format(text)
        case .int, .bool:
            if case .bool = value, kind == nil, width == 0 { return try value.printed(meter: meter).utf8 }
            guard let integer = value.integer else { return [] }
            if let kind, "eEfFgG%".unicodeScalars.contains(kind) { return try format(Double(integer)) }
            return try format(integer)
        case .float(let number): return try format(number)
        case .undefined(let undefined) where !isPlain: throw undefined.failure
        default:
            if !isPlain {
                throw TemplateFailure("unsupported format string passed to \(value.typeName).__format__")
            }
            return try value.printed(meter: meter).utf8
        }
    }

    private var isPlain: Bool {
        align == nil && sign == "-" && !isAlternate && width == 0 && separator == nil && precision == nil && kind == nil
    }

    private func format(_ text: Text) throws -> [UInt8] {
        if let kind, kind != "s" {
            throw TemplateFailure("Unknown format code '\(kind)' for object of type 'str'")
        }
        if let separator { throw TemplateFailure("Cannot specify '\(separator)' with 's'.") }
        if align == "=" { throw TemplateFailure("'=' alignment not allowed in string format specifier") }
        var text = text
        if let precision, precision < text.count { text = text.slice(start: 0, step: 1, count: precision) }
        return FormatSpec.pad(text.utf8, to: width, align: align ?? "<", fill: fill)
    }

    private func format(_ integer: Int) throws -> [UInt8] {
        if precision != nil { throw TemplateFailure("Precision not allowed in integer format specifier") }
        let (radix, prefix, isUpper): (Int, String, Bool) =
            switch kind {
            case nil, "d", "n": (10, "", false)
            case "x": (16, "0x", false)
            case "X": (16, "0X", true)
            case "o": (8, "0o", false)
            case "b": (2, "0b", false)
            case .some(let kind): throw TemplateFailure("Unknown format code '\(kind)' for object of type 'int'")
            }
        let digits = String(integer.magnitude, radix: radix, uppercase: isUpper)
        return pad(digits, isNegative: integer < 0, prefix: isAlternate ? prefix : "", groupSize: radix == 10 ? 3 : 4)
    }

    private func format(_ number: Double) throws -> [UInt8] {
        let isNegative = number.sign == .minus && !number.isNaN
        switch kind {
        case "%":
            let digits = NumberFormat.float(number * 100, kind: "f", precision: precision ?? 6)
            return pad(digits + "%", isNegative: isNegative)
        case nil:
            guard let precision else {
                let text = number.pythonRepresentation
                return pad(isNegative ? String(text.dropFirst()) : text, isNegative: isNegative)
            }
            var digits = NumberFormat.float(number, kind: "g", precision: precision)
            if number.isFinite, !digits.utf8.contains(where: { $0 == 0x2E || $0 == 0x65 }) { digits += ".0" }
            return pad(digits, isNegative: isNegative)
        case .some(let kind) where "eEfFgG".unicodeScalars.contains(kind):
            let digits = NumberFormat.float(number, kind: kind, precision: precision ?? 6, keepsZeros: isAlternate)
            return pad(digits, isNegative: isNegative)
        case .some(let kind): throw TemplateFailure("Unknown format code '\(kind)' for object of type 'float'")
        }
    }

    private func pad(_ digits: String, isNegative: Bool, prefix: String = "", groupSize: Int = 3) -> [UInt8] {
        let head = (isNegative ? "-" : sign == "-" ? "" : String(sign)) + prefix
        var digits = digits
        if let separator { digits = NumberFormat.grouped(digits, separator: separator, size: groupSize) }
        if align == "=" || isZeroPadded {
            let missing = max(0, width - head.count - digits.count)
            return Array((head + String(repeating: String(fill), count: missing) + digits).utf8)
        }
        return FormatSpec.pad(Array((head + digits).utf8), to: width, align: align ?? ">", fill: fill)
    }

    /// Pads to `width` code points: `<` left, `>` right, `^` centred.
    static func pad(
        _ text: [UInt8],
        to width: Int,
        align: Unicode.Scalar,
        fill: Unicode.Scalar = " "
    ) -> [UInt8] {
        let missing = width - Text(utf8: text).count
        if missing <= 0 { return text }
        let left = align == "<" ? 0 : align == "^" ? missing / 2 : missing
        let padding = Array(fill.utf8)
        return Array(repeatElement(padding, count: left).joined()) + text
            + Array(repeatElement(padding, count: missing - left).joined())
    }
}
