/// A number's digits before padding: what `%` formatting and `str.format` share.
enum NumberFormat {
    /// A decimal exponent with its sign and at least two digits.
    static func exponent(_ exponent: Int) -> String {
        (exponent < 0 ? "-" : "+") + (abs(exponent) < 10 ? "0" : "") + String(abs(exponent))
    }

    /// The magnitude of a float in the style of `kind`: one of `e`, `f`, `g` or their capitals.
    static func float(_ value: Double, kind: Unicode.Scalar, precision: Int, keepsZeros: Bool = false) -> String {
        let isUpper = kind.properties.isUppercase
        if !value.isFinite {
            let text = value.isNaN ? "nan" : "inf"
            return isUpper ? text.uppercased() : text
        }
        let magnitude = value.magnitude
        let text =
            switch kind {
            case "e", "E": scientific(magnitude, precision: precision)
            case "f", "F": ExactDecimal(magnitude).fixed(precision: precision)
            default: general(magnitude, precision: max(precision, 1), keepsZeros: keepsZeros)
            }
        return isUpper ? text.uppercased() : text
    }

    private static func scientific(_ value: Double, precision: Int) -> String {
        let (digits, exponent) = ExactDecimal(value).scientific(precision: precision)
        let fraction = precision > 0 ? "." + digits.dropFirst() : ""
        return "\(digits.prefix(1))\(fraction)e\(self.exponent(exponent))"
    }

    private static func general(_ value: Double, precision: Int, keepsZeros: Bool) -> String {
        let (_, exponent) = ExactDecimal(value).scientific(precision: precision - 1)
        if exponent < -4 || exponent >= precision {
            let text = scientific(value, precision: precision - 1)
            let parts = text.split(separator: "e")
            return "\(trimmed(String(parts[0]), keepsZeros))e\(parts[1])"
        }
        return trimmed(ExactDecimal(value).fixed(precision: precision - 1 - exponent), keepsZeros)
    }

    private static func trimmed(_ text: String, _ keepsZeros: Bool) -> String {
        guard !keepsZeros, text.utf8.contains(UInt8(ascii: ".")) else { return text }
        var text = text
        while text.last == "0" { text.removeLast() }
        if text.last == "." { text.removeLast() }
        return text
    }

    /// Thousands separated by `separator`, in the digits before the point.
    static func grouped(_ digits: String, separator: String, size: Int = 3) -> String {
        let whole = digits.prefix { $0.isHexDigit }
        var result = ""
        for (index, digit) in whole.enumerated() {
            if index > 0, (whole.count - index) % size == 0 { result += separator }
            result.append(digit)
        }
        return result + digits.dropFirst(whole.count)
    }
}
