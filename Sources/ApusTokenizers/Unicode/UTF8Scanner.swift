/// UTF-8 decoding that checks what it reads (Unicode 16, table 3-7, "Well-Formed UTF-8 Byte Sequences").
enum UTF8Scanner {
    /// U+FFFD, what stands for a byte that is not UTF-8.
    static let replacement: UInt32 = 0xFFFD

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

    /// The code point that the bytes at `position` spell by the scheme alone, and their length; nil if there is none.
    ///
    /// Overlong forms and surrogates count, as in llama.cpp.
    @inline(__always)
    static func decodeLeniently(_ bytes: Span<UInt8>, at position: Int) -> (scalar: UInt32, length: Int)? {
        let lead = bytes[position]
        if lead < 0x80 { return (UInt32(lead), 1) }
        let length = lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF8 ? 4 : 0
        guard length > 1, length <= bytes.count - position else { return nil }
        var scalar = UInt32(lead) & (0x7F >> UInt32(length))
        for offset in 1..<length {
            let byte = bytes[position + offset]
            guard byte & 0xC0 == 0x80 else { return nil }
            scalar = scalar << 6 | UInt32(byte & 0x3F)
        }
        return scalar <= 0x10FFFF ? (scalar, length) : nil
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

    /// Appends a code point's UTF-8 form; a surrogate's too.
    @inline(__always)
    static func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
        let length = length(of: scalar)
        guard length > 1 else {
            bytes.append(UInt8(truncatingIfNeeded: scalar))
            return
        }
        let leadMark: UInt32 = 0xF00 >> UInt32(length) & 0xFF
        bytes.append(UInt8(truncatingIfNeeded: leadMark | scalar >> UInt32(6 * (length - 1))))
        for rest in stride(from: length - 2, through: 0, by: -1) {
            bytes.append(UInt8(truncatingIfNeeded: 0x80 | scalar >> UInt32(6 * rest) & 0x3F))
        }
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
