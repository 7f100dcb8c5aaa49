/// The exact decimal expansion of a finite double's magnitude, for rounding as C and Python do.
struct ExactDecimal {
    /// Decimal digits without leading zeros, most significant first; empty for zero.
    private var digits: [UInt8]
    /// Digits before the decimal point; may be negative or above the digits' count.
    private var point: Int

    init(_ value: Double) {
        let exponent = Int(value.exponentBitPattern)
        let significand = value.significandBitPattern | (exponent == 0 ? 0 : 1 << 52)
        let power = max(exponent, 1) - 1075
        // m * 2^p is (m << p), or (m * 5^-p) / 10^-p.
        var number = ExactDecimal.limbs(significand)
        for _ in 0..<abs(power) { ExactDecimal.multiply(&number, by: power < 0 ? 5 : 2) }
        digits = ExactDecimal.decimalDigits(number)
        point = digits.count + min(power, 0)
    }

    /// Nine decimal digits a limb, least significant first.
    private static func limbs(_ value: UInt64) -> [UInt32] {
        var rest = value
        var limbs: [UInt32] = []
        while rest > 0 {
            limbs.append(UInt32(rest % 1_000_000_000))
            rest /= 1_000_000_000
        }
        return limbs
    }

    private static func multiply(_ limbs: inout [UInt32], by factor: UInt64) {
        var carry: UInt64 = 0
        for index in limbs.indices {
            let product = UInt64(limbs[index]) * factor + carry
            limbs[index] = UInt32(product % 1_000_000_000)
            carry = product / 1_000_000_000
        }
        if carry > 0 { limbs.append(UInt32(carry)) }
    }

    private static func decimalDigits(_ limbs: [UInt32]) -> [UInt8] {
        var digits: [UInt8] = []
        for limb in limbs {
            var rest = limb
            for _ in 0..<9 {
                digits.append(UInt8(rest % 10))
                rest /= 10
            }
        }
        while digits.last == 0 { digits.removeLast() }
        return digits.reversed()
    }

    /// Keeps `count` digits (those before index `count`), rounding half to even.
    private mutating func round(toDigits count: Int) {
        guard count < digits.count else { return }
        guard count >= 0 else {
            digits = []
            return
        }
        let dropped = digits[count...]
        let isAboveHalf = dropped[count] > 5 || dropped[count] == 5 && dropped.dropFirst().contains { $0 != 0 }
        let isHalf = dropped[count] == 5 && !isAboveHalf
        let lastIsOdd = count > 0 && digits[count - 1] % 2 == 1
        digits.removeSubrange(count...)
        if isAboveHalf || isHalf && lastIsOdd { increment() }
    }

    private mutating func increment() {
        var index = digits.count - 1
        while index >= 0, digits[index] == 9 {
            digits[index] = 0
            index -= 1
        }
        if index >= 0 {
            digits[index] += 1
        } else {
            digits.insert(1, at: 0)
            point += 1
        }
    }

    /// `%.{precision}f`.
    func fixed(precision: Int) -> String {
        var rounded = self
        rounded.round(toDigits: point + precision)
        let whole = (0..<max(rounded.point, 0)).map { rounded.digit($0) }
        let fraction = (0..<precision).map { rounded.digit(rounded.point + $0) }
        let text = whole.isEmpty ? "0" : String(decoding: whole, as: UTF8.self)
        return precision == 0 ? text : text + "." + String(decoding: fraction, as: UTF8.self)
    }

    /// The digits and the decimal exponent of `%.{precision}e`.
    func scientific(precision: Int) -> (digits: String, exponent: Int) {
        var rounded = self
        rounded.round(toDigits: precision + 1)
        let digits = (0...precision).map { rounded.digit($0) }
        return (String(decoding: digits, as: UTF8.self), rounded.digits.isEmpty ? 0 : rounded.point - 1)
    }

    /// The number rounded to `fractionDigits` digits after the point (negative: before it), to be read back.
    func literal(fractionDigits: Int) -> String {
        var rounded = self
        rounded.round(toDigits: point + fractionDigits)
        let digits = String(decoding: rounded.digits.map { 0x30 + $0 }, as: UTF8.self)
        return "0\(digits)e\(rounded.point - rounded.digits.count)"
    }

    /// The ASCII digit at `index` from the first significant one; zero outside.
    private func digit(_ index: Int) -> UInt8 { 0x30 + (digits.indices.contains(index) ? digits[index] : 0) }
}

extension Double {
    /// Python's `repr`: the shortest digits that read back, with an exponent below 1e-4 and from 1e16 on.
    var pythonRepresentation: String {
        if isNaN { return "nan" }
        if isInfinite { return self < 0 ? "-inf" : "inf" }
        let sign = self.sign == .minus ? "-" : ""
        if self == 0 { return sign + "0.0" }
        let (digits, point) = shortestDigits
        if point > 16 || point < -3 {
            let fraction = digits.count > 1 ? "." + digits.dropFirst() : ""
            return "\(sign)\(digits.prefix(1))\(fraction)e\(NumberFormat.exponent(point - 1))"
        }
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        if digits.count <= point { return sign + digits + String(repeating: "0", count: point - digits.count) + ".0" }
        return sign + digits.prefix(point) + "." + digits.dropFirst(point)
    }

    /// The shortest decimal digits that identify the number's magnitude, and how many stand before the point.
    private var shortestDigits: (String, Int) {
        let parts = magnitude.description.split(separator: "e")
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        let fraction = mantissa.count > 1 ? mantissa[1] : ""
        let digits = mantissa[0] + fraction
        let leadingZeros = digits.prefix { $0 == "0" }.count
        var significant = String(digits.dropFirst(leadingZeros))
        while significant.last == "0" { significant.removeLast() }
        let exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        return (significant, mantissa[0].count - leadingZeros + exponent)
    }

    /// Python's `round(self, digits)`.
    func rounded(toDigits digits: Int) -> Double {
        if !isFinite || digits > 323 { return self }
        if digits < -308 { return Double(signOf: self, magnitudeOf: 0) }
        return Double(signOf: self, magnitudeOf: Double(ExactDecimal(magnitude).literal(fractionDigits: digits)) ?? 0)
    }
}
