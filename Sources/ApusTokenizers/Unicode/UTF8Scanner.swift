/// UTF-8 decoding that checks what it reads (Unicode 16, table 3-7, "Well-Formed UTF-8 Byte Sequences").
enum UTF8Scanner {
    /// U+FFFD, what stands for a byte that is not UTF-8.
    static let replacement: UInt32 = 0xFFFD
    private static let replacementBytes: [UInt8] = [0xEF, 0xBF, 0xBD]

    /// The code point at `position` and its length in bytes; nil if no well-formed one starts there.
    @inline(__always)
    static func decode(_ bytes: Span<UInt8>, at position: Int, end: Int) -> (scalar: UInt32, length: Int)? {
        let lead = bytes[position]
        if lead < 0x80 { return (UInt32(lead), 1) }
        let length = sequenceLength(lead: lead)
        guard length > 1, length <= end - position else { return nil }
        var scalar = UInt32(lead) & (0x7F >> UInt32(length))
        for offset in 1..<length {
            let byte = bytes[position + offset]
            guard byte & 0xC0 == 0x80 else { return nil }
            scalar = scalar << 6 | UInt32(byte & 0x3F)
        }
        guard scalar >= smallestScalar[length], scalar <= 0x10FFFF, scalar & 0x1FF800 != 0xD800 else { return nil }
        return (scalar, length)
    }

    /// The length a lead byte promises: 0 for bytes that lead nothing.
    @inline(__always)
    static func sequenceLength(lead: UInt8) -> Int {
        switch lead {
        case 0x00..<0x80: 1
        case 0xC2..<0xE0: 2
        case 0xE0..<0xF0: 3
        case 0xF0..<0xF5: 4
        default: 0
        }
    }

    /// The smallest code point that needs each length.
    private static let smallestScalar: InlineArray<5, UInt32> = [0, 0, 0x80, 0x800, 0x10000]

    /// Bytes in the UTF-8 form of a code point.
    @inline(__always)
    static func length(of scalar: UInt32) -> Int {
        scalar < 0x80 ? 1 : scalar < 0x800 ? 2 : scalar < 0x10000 ? 3 : 4
    }

    /// Appends a code point's UTF-8 form.
    static func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
        guard let scalar = Unicode.Scalar(scalar) else {
            bytes.append(contentsOf: replacementBytes)
            return
        }
        bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    /// Whether all bytes are well-formed UTF-8.
    static func isValid(_ bytes: Span<UInt8>) -> Bool {
        var position = 0
        while position < bytes.count {
            guard let next = decode(bytes, at: position, end: bytes.count) else { return false }
            position += next.length
        }
        return true
    }

    /// Bytes at the end that start a character without finishing it: 0 to 3.
    static func incompleteSuffixLength(_ bytes: [UInt8]) -> Int {
        for length in 1...3 where length <= bytes.count {
            let start = bytes.count - length
            let lead = bytes[start]
            if lead & 0xC0 == 0x80 { continue }
            guard sequenceLength(lead: lead) > length else { return 0 }
            return isPrefix(bytes[start...]) ? length : 0
        }
        return 0
    }

    /// Whether a lead byte and some continuation bytes can still become a character.
    private static func isPrefix(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let lead = bytes.first, let second = bytes.dropFirst().first else { return true }
        switch lead {
        case 0xE0: return second >= 0xA0
        case 0xED: return second < 0xA0
        case 0xF0: return second >= 0x90
        case 0xF4: return second < 0x90
        default: return true
        }
    }
}
