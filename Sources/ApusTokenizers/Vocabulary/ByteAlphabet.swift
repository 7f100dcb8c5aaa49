/// The spelling of bytes in byte-level vocabularies: printable Latin-1 stands for itself, the other 68 bytes are moved
/// to U+0100 and up (GPT-2, "Language Models are Unsupervised Multitask Learners", section 2.2).
enum ByteAlphabet {
    /// Appends the bytes that a part of a token's spelling stands for.
    /// - Returns: whether every character of it is in the alphabet; if not, nothing is appended.
    static func decode(_ spelling: Span<UInt8>, _ range: Range<Int>, into bytes: inout [UInt8]) -> Bool {
        let start = bytes.count
        var position = range.lowerBound
        while position < range.upperBound {
            guard let (scalar, length) = UTF8Scanner.decode(spelling, at: position, end: range.upperBound),
                let byte = byte(scalar)
            else {
                bytes.removeSubrange(start...)
                return false
            }
            bytes.append(byte)
            position += length
        }
        return true
    }

    /// The spelling of bytes.
    static func spelling(of bytes: some Sequence<UInt8>) -> String {
        var text = String.UnicodeScalarView()
        for byte in bytes { text.append(characters[Int(byte)]) }
        return String(text)
    }

    /// The character of each byte: `byte(_:)` turned round.
    private static let characters: [Unicode.Scalar] = {
        var characters = [Unicode.Scalar](repeating: "\0", count: 256)
        for code in UInt32(0x21)...0x143 {
            if let byte = byte(code), let character = Unicode.Scalar(code) { characters[Int(byte)] = character }
        }
        return characters
    }()

    /// Whether the character that spells a byte is of category N: digits, and the superscripts and fractions of Latin-1.
    static func isNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0xB2, 0xB3, 0xB9, 0xBC...0xBE: true
        default: false
        }
    }

    /// The byte a code point spells; nil if it spells none.
    @inline(__always)
    private static func byte(_ scalar: UInt32) -> UInt8? {
        switch scalar {
        case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: UInt8(truncatingIfNeeded: scalar)
        // The others in ascending order: 0 to 0x20, 0x7F to 0xA0, 0xAD.
        case 0x100...0x120: UInt8(truncatingIfNeeded: scalar)
        case 0x121...0x142: UInt8(truncatingIfNeeded: scalar - 0x121 + 0x7F)
        case 0x143: 0xAD
        default: nil
        }
    }
}
