extension JSONParser {
    // As long as any double's exact decimal digits; a longer number is an attack on whoever decodes it.
    private static let maximumNumberLength = 1100

    /// Checks a string and steps over it; the parser stands at its opening quote.
    mutating func string(_ text: RawSpan) throws -> JSONNode {
        position += 1
        let start = position
        var kind = JSONNode.Kind.string
        while true {
            skipPlainBytes(text)
            guard let byte = text.byte(at: position) else { throw malformed(text, expected: "'\"'") }
            switch byte {
            case Self.quote:
                defer { position += 1 }
                return JSONNode(kind, at: start, count: position - start)
            case Self.backslash:
                kind = .escapedString
                try escape(text)
            case 0..<0x20:
                throw malformed(text, expected: "control characters in strings to be escaped")
            case 0x80...:
                guard let length = text.utf8SequenceLength(at: position) else {
                    throw malformed(text, expected: "valid UTF-8")
                }
                position += length
            default:
                position += 1
            }
        }
    }

    /// Steps over eight bytes at a time while none of them is a quote, a backslash, a control or a non-ASCII byte.
    private mutating func skipPlainBytes(_ text: RawSpan) {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highBits = ones << 7
        while let word = text.littleEndian(at: position, as: UInt64.self) {
            // A byte's high bit is set in `word &- ones * c` if the byte was below c; a borrow can only add a false
            // alarm after a true one, and an alarm merely sends the caller to the byte-wise path.
            let quotes = word ^ (ones &* UInt64(Self.quote))
            let backslashes = word ^ (ones &* UInt64(Self.backslash))
            let alarms = word | (word &- ones &* 0x20) | (quotes &- ones) | (backslashes &- ones)
            guard alarms & highBits == 0 else { return }
            position += 8
        }
    }

    private mutating func escape(_ text: RawSpan) throws {
        switch text.byte(at: position + 1) {
        case UInt8(ascii: "u"):
            guard text.hexadecimal(at: position + 2) != nil else {
                position += 2
                throw malformed(text, expected: "four hexadecimal digits")
            }
            position += 6
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 2
        default:
            position += 1
            throw malformed(text, expected: "one of \"\\/bfnrtu after a backslash")
        }
    }

    /// Checks a number and steps over it.
    ///
    /// One without fraction and exponent that fits `Int64` is an integer.
    mutating func number(_ text: RawSpan) throws -> JSONNode {
        let start = position
        if text.byte(at: position) == Self.minus { position += 1 }
        let isZero = text.byte(at: position) == Self.zero
        let digits = try digits(text)
        if isZero, digits > 1 {
            position -= digits - 1
            throw malformed(text, expected: "a number without leading zeros")
        }
        var kind = JSONNode.Kind.integer
        if text.byte(at: position) == UInt8(ascii: ".") {
            kind = .double
            position += 1
            _ = try self.digits(text)
        }
        if let byte = text.byte(at: position), byte | 0x20 == UInt8(ascii: "e") {
            kind = .double
            position += 1
            if let sign = text.byte(at: position), sign == UInt8(ascii: "+") || sign == Self.minus { position += 1 }
            _ = try self.digits(text)
        }
        let length = position - start
        guard length <= Self.maximumNumberLength else {
            throw malformed(text, expected: "a number of at most \(Self.maximumNumberLength) bytes", found: "\(length)")
        }
        if kind == .integer, digits >= 19, text.integer(at: start, count: length) == nil { kind = .double }
        return JSONNode(kind, at: start, count: length)
    }

    private mutating func digits(_ text: RawSpan) throws -> Int {
        let start = position
        while let byte = text.byte(at: position), byte >= Self.zero, byte <= Self.nine { position += 1 }
        guard position > start else { throw malformed(text, expected: "a digit") }
        return position - start
    }

    /// Checks one of `null`, `true` and `false` and steps over it.
    mutating func literal(_ text: RawSpan) throws -> JSONNode {
        let candidates: [(StaticString, JSONNode.Kind)] = [("null", .null), ("true", .true), ("false", .false)]
        for (word, kind) in candidates where text.hasBytes(of: word, at: position) {
            position += word.utf8CodeUnitCount
            return JSONNode(kind, at: position, count: 0)
        }
        throw malformed(text, expected: "a value")
    }
}
