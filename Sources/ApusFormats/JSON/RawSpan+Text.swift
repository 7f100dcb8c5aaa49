extension RawSpan {
    /// The length of the valid non-ASCII UTF-8 sequence that starts at `offset`; nil if it is not one.
    ///
    /// Unicode 16, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.
    func utf8SequenceLength(at offset: Int) -> Int? {
        guard let first = byte(at: offset), let second = byte(at: offset + 1) else { return nil }
        let secondRange: ClosedRange<UInt8>
        let length: Int
        switch first {
        case 0xC2...0xDF: (length, secondRange) = (2, 0x80...0xBF)
        case 0xE0: (length, secondRange) = (3, 0xA0...0xBF)
        case 0xED: (length, secondRange) = (3, 0x80...0x9F)
        case 0xE1...0xEF: (length, secondRange) = (3, 0x80...0xBF)
        case 0xF0: (length, secondRange) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (length, secondRange) = (4, 0x80...0xBF)
        case 0xF4: (length, secondRange) = (4, 0x80...0x8F)
        default: return nil
        }
        guard secondRange.contains(second) else { return nil }
        for index in 2..<max(2, length) {
            guard let next = byte(at: offset + index), next & 0xC0 == 0x80 else { return nil }
        }
        return length
    }

    /// The value of four hexadecimal digits at `offset`; nil if they are not there.
    func hexadecimal(at offset: Int) -> UInt16? {
        var value: UInt16 = 0
        for index in 0..<4 {
            guard let digit = byte(at: offset + index) else { return nil }
            let nibble: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): nibble = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): nibble = digit - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): nibble = digit - UInt8(ascii: "A") + 10
            default: return nil
            }
            value = value << 4 | UInt16(nibble)
        }
        return value
    }

    /// The value of a checked JSON integer's text; nil if it exceeds `Int`.
    func integer(at offset: Int, count: Int) -> Int? {
        let isNegative = byte(at: offset) == UInt8(ascii: "-")
        var value = 0
        for index in offset + (isNegative ? 1 : 0)..<offset + count {
            let digit = Int(byte(at: index) ?? 0) - Int(UInt8(ascii: "0"))
            let (product, productOverflow) = value.multipliedReportingOverflow(by: 10)
            // Summed towards the sign, so that the most negative integer is reached.
            let (sum, sumOverflow) = product.addingReportingOverflow(isNegative ? -digit : digit)
            guard !productOverflow, !sumOverflow else { return nil }
            value = sum
        }
        return value
    }

    /// Whether the bytes of `word` stand at `offset`.
    func hasBytes(of word: StaticString, at offset: Int) -> Bool {
        for index in 0..<word.utf8CodeUnitCount {
            // sound because the index is below the literal's length
            guard byte(at: offset + index) == word.utf8Start[index] else { return false }
        }
        return true
    }

    /// Whether the bytes are those of `text`.
    func isEqual(to text: String) -> Bool {
        var utf8 = text.utf8.makeIterator()
        for offset in 0..<byteCount {
            guard byte(at: offset) == utf8.next() else { return false }
        }
        return utf8.next() == nil
    }
}
