/// Python's `str.format`, with attribute access through the sandbox.
struct BraceFormat {
    private let arguments: Arguments
    private let interpreter: Interpreter
    private var nextIndex = 0
    private var usesNumbers = false

    init(_ arguments: Arguments, _ interpreter: Interpreter) {
        self.arguments = arguments
        self.interpreter = interpreter
    }

    mutating func render(_ format: Text) throws -> Value {
        let bytes = try render(Array(format.scalars), depth: 2, isMarkup: format.isMarkup)
        return try interpreter.meter.text(Text(utf8: bytes, isMarkup: format.isMarkup))
    }

    private mutating func render(_ format: [Unicode.Scalar], depth: Int, isMarkup: Bool) throws -> [UInt8] {
        if depth < 0 { throw TemplateFailure("Max string recursion exceeded") }
        var result: [UInt8] = []
        var index = 0
        while index < format.count {
            try interpreter.meter.check(bytes: result.count)
            let scalar = format[index]
            index += 1
            guard scalar == "{" || scalar == "}" else {
                result.append(scalar)
                continue
            }
            if index < format.count, format[index] == scalar {
                result.append(scalar)
                index += 1
                continue
            }
            if scalar == "}" { throw TemplateFailure("Single '}' encountered in format string") }
            let field = try BraceFormat.field(format, &index)
            result += try replacement(field, depth: depth, isMarkup: isMarkup)
        }
        return result
    }

    /// The text of a replacement field up to its closing brace.
    private static func field(_ format: [Unicode.Scalar], _ index: inout Int) throws -> ArraySlice<Unicode.Scalar> {
        let start = index
        var open = 1
        while index < format.count {
            if format[index] == "{" { open += 1 }
            if format[index] == "}" { open -= 1 }
            index += 1
            if open == 0 { return format[start..<(index - 1)] }
        }
        throw TemplateFailure(
            start == format.count ? "Single '{' encountered in format string" : "expected '}' before end of string"
        )
    }

    private mutating func replacement(
        _ field: ArraySlice<Unicode.Scalar>,
        depth: Int,
        isMarkup: Bool
    ) throws -> [UInt8] {
        let nameEnd = field.firstIndex { $0 == "!" || $0 == ":" } ?? field.endIndex
        var value = try look(up: Array(field[..<nameEnd]))
        var rest = field[nameEnd...]
        if rest.first == "!" {
            guard rest.count >= 2, rest.count == 2 || rest[rest.startIndex + 2] == ":" else {
                throw TemplateFailure("expected ':' after conversion specifier")
            }
            value = try convert(value, rest[rest.startIndex + 1])
            rest = rest.dropFirst(2)
        }
        let spec = Text(utf8: try render(Array(rest.dropFirst()), depth: depth - 1, isMarkup: false))
        let bytes = try FormatSpec(spec, meter: interpreter.meter).format(value, meter: interpreter.meter)
        if isMarkup, value.text?.isMarkup != true { return Text(utf8: bytes).escaped.utf8 }
        return bytes
    }

    private func convert(_ value: Value, _ conversion: Unicode.Scalar) throws -> Value {
        let meter = interpreter.meter
        switch conversion {
        case "s": return try meter.text(try value.printed(meter: meter))
        case "r": return try meter.text(try value.representation(meter: meter))
        case "a": return try meter.text(Text(try value.representation(meter: meter)).asciiOnly)
        default: throw TemplateFailure("Unknown conversion specifier \(conversion)")
        }
    }

    /// The value of a field name such as `0.role` or `message[content]`.
    private mutating func look(up name: [Unicode.Scalar]) throws -> Value {
        let firstEnd = name.firstIndex { $0 == "." || $0 == "[" } ?? name.endIndex
        var value = try argument(named: Text(name[..<firstEnd]))
        var index = firstEnd
        while index < name.count {
            if name[index] == "." {
                let end = name[(index + 1)...].firstIndex { $0 == "." || $0 == "[" } ?? name.endIndex
                if end == index + 1 { throw TemplateFailure("Empty attribute in format string") }
                value = try interpreter.attribute(Text(name[(index + 1)..<end]), of: value)
                index = end
            } else if name[index] == "[" {
                guard let end = name[index...].firstIndex(of: "]") else {
                    throw TemplateFailure("Missing ']' in format string")
                }
                let key = Text(name[(index + 1)..<end])
                if key.isEmpty { throw TemplateFailure("Empty attribute in format string") }
                let element = Int(key.string).map(Value.int) ?? .string(key)
                value = try interpreter.item(element, of: value)
                index = end + 1
            } else {
                throw TemplateFailure("Only '.' or '[' may follow ']' in format field specifier")
            }
        }
        return value
    }

    private mutating func argument(named name: Text) throws -> Value {
        var index = Int(name.string)
        if name.isEmpty {
            if usesNumbers {
                throw TemplateFailure("cannot switch from manual field specification to automatic field numbering")
            }
            index = nextIndex
            nextIndex += 1
        } else if index != nil {
            if nextIndex > 0 {
                throw TemplateFailure("cannot switch from automatic field numbering to manual field specification")
            }
            usesNumbers = true
        }
        if let index {
            guard arguments.positional.indices.contains(index) else {
                throw TemplateFailure("Replacement index \(index) out of range for positional args tuple")
            }
            return arguments.positional[index]
        }
        guard let value = arguments.keyword.first(where: { $0.name == name.string })?.value else {
            throw TemplateFailure(name.quoted)
        }
        return value
    }
}
