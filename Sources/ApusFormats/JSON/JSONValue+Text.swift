extension JSONValue {
    /// The text of a string, or a number as written.
    var decodedString: String {
        if node.kind == .escapedString { return String(decoding: unescaped, as: UTF8.self) }
        return document.withSpan { text in
            // sound because the pointer is only read, inside the call
            text.extracting(node.offset..<node.offset + node.count).withUnsafeBytes {
                String(decoding: $0, as: UTF8.self)
            }
        }
    }

    /// The bytes of a string with its escapes replaced.
    var unescaped: [UInt8] {
        document.withSpan { text in
            var bytes: [UInt8] = []
            bytes.reserveCapacity(node.count)
            var position = node.offset
            let end = node.offset + node.count
            while position < end, let byte = text.byte(at: position) {
                guard byte == JSONParser.backslash else {
                    bytes.append(byte)
                    position += 1
                    continue
                }
                let (scalar, length) = Self.escape(text, at: position)
                bytes.append(contentsOf: String(scalar).utf8)
                position += length
            }
            return bytes
        }
    }

    /// The scalar that the checked escape at `position` stands for, and the escape's length.
    private static func escape(_ text: RawSpan, at position: Int) -> (Unicode.Scalar, Int) {
        guard let letter = text.byte(at: position + 1), letter == UInt8(ascii: "u") else {
            return (simpleEscape(text.byte(at: position + 1) ?? 0), 2)
        }
        let unit = text.hexadecimal(at: position + 2) ?? 0
        if let scalar = Unicode.Scalar(unit) { return (scalar, 6) }
        // A high surrogate counts only with the low one that follows it.
        if unit < 0xDC00, text.byte(at: position + 6) == JSONParser.backslash,
            text.byte(at: position + 7) == UInt8(ascii: "u"),
            let low = text.hexadecimal(at: position + 8), (0xDC00...0xDFFF).contains(low),
            let scalar = Unicode.Scalar(0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00))
        {
            return (scalar, 12)
        }
        return ("\u{FFFD}", 6)
    }

    private static func simpleEscape(_ letter: UInt8) -> Unicode.Scalar {
        switch letter {
        case UInt8(ascii: "b"): "\u{08}"
        case UInt8(ascii: "f"): "\u{0C}"
        case UInt8(ascii: "n"): "\n"
        case UInt8(ascii: "r"): "\r"
        case UInt8(ascii: "t"): "\t"
        default: Unicode.Scalar(letter)
        }
    }
}
