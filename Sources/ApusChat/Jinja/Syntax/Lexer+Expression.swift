/// Tokens inside tags.
extension Lexer {
    mutating func scanExpressionToken() throws -> Token.Kind {
        guard let first = byte() else { return .end }
        if Lexer.isDigit(first) { return try scanNumber() }
        if first == UInt8(ascii: "'") || first == UInt8(ascii: "\"") { return .string(try scanString(quote: first)) }
        if let name = scanName() { return .name(name) }
        for symbol in Token.Symbol.allCases where source[position...].starts(with: symbol.rawValue.utf8) {
            try balance(symbol)
            advance(to: position + symbol.rawValue.utf8.count)
            return .symbol(symbol)
        }
        let character = String(decoding: source[position...].prefix(4), as: UTF8.self).unicodeScalars.prefix(1)
        throw TemplateFailure("unexpected char \(Text(character).quoted)", line: line)
    }

    private static func isDigit(_ byte: UInt8?) -> Bool { byte.map { (0x30...0x39).contains($0) } ?? false }

    private mutating func balance(_ symbol: Token.Symbol) throws {
        switch symbol {
        case .leftParenthesis: openBrackets.append(UInt8(ascii: ")"))
        case .leftBracket: openBrackets.append(UInt8(ascii: "]"))
        case .leftBrace: openBrackets.append(UInt8(ascii: "}"))
        case .rightParenthesis, .rightBracket, .rightBrace:
            guard let expected = openBrackets.popLast() else {
                throw TemplateFailure("unexpected '\(symbol.rawValue)'", line: line)
            }
            if !symbol.rawValue.utf8.elementsEqual([expected]) {
                throw TemplateFailure(
                    "unexpected '\(symbol.rawValue)', expected '\(Unicode.Scalar(expected))'",
                    line: line
                )
            }
        default: break
        }
    }

    private mutating func scanName() -> String? {
        var end = position
        var isFirst = true
        while end < source.count {
            let byte = source[end]
            if byte < 0x80 {
                guard byte == 0x5F || Unicode.Scalar(byte).properties.isAlphabetic || !isFirst && Lexer.isDigit(byte)
                else { break }
                end += 1
            } else {
                let decoded = String(decoding: source[end...].prefix(4), as: UTF8.self)
                guard let scalar = decoded.unicodeScalars.first else { break }
                let properties = scalar.properties
                guard isFirst ? properties.isXIDStart : properties.isXIDContinue else { break }
                end += scalar.utf8.count
            }
            isFirst = false
        }
        if end == position { return nil }
        let name = String(decoding: source[position..<end], as: UTF8.self)
        advance(to: end)
        return name
    }

    private mutating func scanNumber() throws -> Token.Kind {
        let start = position
        if byte() == 0x30, let radix = radix(of: byte(1)), let end = endOfDigits(from: start + 2, radix: radix) {
            advance(to: end)
            return .integer(try integer(start + 2, end, radix: radix))
        }
        let isAfterDot = start > 0 && source[start - 1] == UInt8(ascii: ".")
        let whole = endOfDigits(from: start, radix: 10) ?? start
        if !isAfterDot, let end = endOfFloat(whole: whole) {
            advance(to: end)
            let text = String(decoding: source[start..<end].filter { $0 != 0x5F }, as: UTF8.self)
            guard let value = Double(text) else { throw TemplateFailure("invalid number '\(text)'", line: line) }
            return .float(value)
        }
        var end = whole
        if byte() == 0x30 {
            end = start + 1
            while end < whole, source[end] == 0x30 || source[end] == 0x5F { end += 1 }
        }
        advance(to: end)
        return .integer(try integer(start, end, radix: 10))
    }

    private func radix(of byte: UInt8?) -> Int? {
        switch byte {
        case UInt8(ascii: "x"), UInt8(ascii: "X"): 16
        case UInt8(ascii: "o"), UInt8(ascii: "O"): 8
        case UInt8(ascii: "b"), UInt8(ascii: "B"): 2
        default: nil
        }
    }

    /// The end of digits, single underscores between them, from `start`; nil if there is no digit.
    private func endOfDigits(from start: Int, radix: Int) -> Int? {
        func isDigit(_ index: Int) -> Bool {
            index < source.count && Character(Unicode.Scalar(source[index])).hexDigitValue.map { $0 < radix } == true
        }
        var end = start
        if radix != 10, end < source.count, source[end] == 0x5F, isDigit(end + 1) { end += 1 }
        guard isDigit(end) else { return nil }
        while true {
            if isDigit(end) {
                end += 1
            } else if end < source.count, source[end] == 0x5F, isDigit(end + 1) {
                end += 2
            } else {
                return end
            }
        }
    }

    /// The end of a fraction or exponent after the whole digits; nil for an integer.
    private func endOfFloat(whole: Int) -> Int? {
        var end = whole
        if starts(with: ".", at: end), let fraction = endOfDigits(from: end + 1, radix: 10) { end = fraction }
        if starts(with: "e", at: end) || starts(with: "E", at: end) {
            let hasSign = starts(with: "+", at: end + 1) || starts(with: "-", at: end + 1)
            if let exponent = endOfDigits(from: end + (hasSign ? 2 : 1), radix: 10) { end = exponent }
        }
        return end > whole ? end : nil
    }

    private func integer(_ start: Int, _ end: Int, radix: Int) throws -> Int {
        let digits = String(decoding: source[start..<end].filter { $0 != 0x5F }, as: UTF8.self)
        guard let value = Int(digits, radix: radix) else {
            throw TemplateFailure("integer '\(digits.prefix(40))' does not fit 64 bits", line: line)
        }
        return value
    }

    private mutating func scanString(quote: UInt8) throws -> [UInt8] {
        var result: [UInt8] = []
        var index = position + 1
        while index < source.count {
            let byte = source[index]
            if byte == quote {
                advance(to: index + 1)
                return result
            }
            index += 1
            if byte == UInt8(ascii: "\\") {
                try unescape(&index, into: &result)
            } else {
                result.append(byte)
            }
        }
        throw TemplateFailure("unexpected char \(Text(utf8: [quote]).quoted): the string has no end", line: line)
    }

    /// Decodes the escape whose backslash lies before `index`, as Python's string literals do.
    private func unescape(_ index: inout Int, into result: inout [UInt8]) throws {
        guard index < source.count else { return }
        let byte = source[index]
        index += 1
        switch byte {
        case 0x0A: break
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): result.append(byte)
        case UInt8(ascii: "a"): result.append(0x07)
        case UInt8(ascii: "b"): result.append(0x08)
        case UInt8(ascii: "f"): result.append(0x0C)
        case UInt8(ascii: "n"): result.append(0x0A)
        case UInt8(ascii: "r"): result.append(0x0D)
        case UInt8(ascii: "t"): result.append(0x09)
        case UInt8(ascii: "v"): result.append(0x0B)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            index -= 1
            try appendNumber(&index, digits: 1...3, radix: 8, into: &result)
        case UInt8(ascii: "x"): try appendNumber(&index, digits: 2...2, radix: 16, into: &result)
        case UInt8(ascii: "u"): try appendNumber(&index, digits: 4...4, radix: 16, into: &result)
        case UInt8(ascii: "U"): try appendNumber(&index, digits: 8...8, radix: 16, into: &result)
        case UInt8(ascii: "N"): throw TemplateFailure("\\N escapes are not supported", line: line)
        default: result += [UInt8(ascii: "\\"), byte]
        }
    }

    private func appendNumber(
        _ index: inout Int,
        digits: ClosedRange<Int>,
        radix: Int,
        into result: inout [UInt8]
    ) throws {
        var value: UInt32 = 0
        var count = 0
        while count < digits.upperBound, index < source.count,
            let digit = Character(Unicode.Scalar(source[index])).hexDigitValue, digit < radix
        {
            value = value &* UInt32(radix) &+ UInt32(digit)
            index += 1
            count += 1
        }
        guard count >= digits.lowerBound, let scalar = Unicode.Scalar(value) else {
            throw TemplateFailure("invalid character escape in a string", line: line)
        }
        result.append(scalar)
    }
}
