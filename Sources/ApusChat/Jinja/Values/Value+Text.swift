/// Python's `str` and `repr`.
extension Value {
    /// Python's `str()`: what `{{ value }}` prints.
    func printed(meter: Meter) throws -> Text {
        switch self {
        case .undefined: Text(utf8: [])
        case .string(let text): text
        default: Text(try representation(meter: meter))
        }
    }

    /// Python's `repr()`.
    func representation(meter: Meter) throws -> String {
        var result = ""
        try appendRepresentation(to: &result, meter: meter)
        return result
    }

    private func appendRepresentation(to result: inout String, meter: Meter) throws {
        try meter.step()
        try meter.check(bytes: result.utf8.count)
        switch self {
        case .undefined: result += "Undefined"
        case .none: result += "None"
        case .bool(let value): result += value ? "True" : "False"
        case .int(let value): result += String(value)
        case .float(let value): result += value.pythonRepresentation
        case .string(let text):
            try meter.spend(bytes: text.utf8.count)
            result += text.isMarkup ? "Markup(\(text.quoted))" : text.quoted
        case .list(let list):
            result += "["
            try Value.appendElements(list.items, to: &result, meter: meter)
            result += "]"
        case .tuple(let list):
            result += "("
            try Value.appendElements(list.items, to: &result, meter: meter)
            result += list.items.count == 1 ? ",)" : ")"
        case .dict(let dict):
            result += "{"
            for index in dict.keys.indices {
                if index > 0 { result += ", " }
                try dict.keys[index].appendRepresentation(to: &result, meter: meter)
                result += ": "
                try dict.values[index].appendRepresentation(to: &result, meter: meter)
            }
            result += "}"
        case .object(let object): result += try object.representation(meter: meter)
        }
    }

    private static func appendElements(_ items: [Value], to result: inout String, meter: Meter) throws {
        for (index, item) in items.enumerated() {
            if index > 0 { result += ", " }
            try item.appendRepresentation(to: &result, meter: meter)
        }
    }
}

extension Text {
    /// The string as a Python literal.
    var quoted: String {
        let quote: Unicode.Scalar = utf8.contains(0x27) && !utf8.contains(0x22) ? "\"" : "'"
        var result = String.UnicodeScalarView([quote])
        for scalar in scalars {
            switch scalar {
            case quote, "\\": result += ["\\", scalar]
            case "\n": result += "\\n".unicodeScalars
            case "\r": result += "\\r".unicodeScalars
            case "\t": result += "\\t".unicodeScalars
            default:
                if scalar.isPrintable { result.append(scalar) } else { result += scalar.escape.unicodeScalars }
            }
        }
        result.append(quote)
        return String(result)
    }
}

extension Unicode.Scalar {
    /// The character as a Python escape of its number.
    var escape: String {
        switch value {
        case 0...0xFF: "\\x" + hex(digits: 2)
        case 0x100...0xFFFF: "\\u" + hex(digits: 4)
        default: "\\U" + hex(digits: 8)
        }
    }

    private func hex(digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
