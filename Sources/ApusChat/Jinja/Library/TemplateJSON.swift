/// The `tojson` filter: Python's `json.dumps` with the options that chat templates get.
struct TemplateJSON {
    private let meter: Meter
    private let escapesNonASCII: Bool
    private let indentation: [UInt8]?
    private let itemSeparator: [UInt8]
    private let keySeparator: [UInt8]
    private let sortsKeys: Bool
    private var output: [UInt8] = []
    private var level = 0

    init(_ arguments: Arguments, meter: Meter) throws {
        self.meter = meter
        let bound = try arguments.bind("tojson", ["ensure_ascii", "indent", "separators", "sort_keys"])
        escapesNonASCII = bound[0]?.isTruthy ?? false
        indentation = try bound[1].flatMap { try TemplateJSON.indentation($0, meter) }
        sortsKeys = bound[3]?.isTruthy ?? false
        var separators: [Text] = [indentation == nil ? ", " : ",", ": "]
        if let given = bound[2], !given.isNone {
            separators = try given.elements(meter: meter).map { try $0.requireText("separators") }
            if separators.count != 2 { throw TemplateFailure("separators must be two strings") }
        }
        (itemSeparator, keySeparator) = (separators[0].utf8, separators[1].utf8)
    }

    private static func indentation(_ value: Value, _ meter: Meter) throws -> [UInt8]? {
        if value.isNone { return nil }
        if let text = value.text { return text.utf8 }
        let width = try value.requireInteger()
        try meter.check(bytes: width)
        return [UInt8](repeating: 0x20, count: max(0, width))
    }

    func encode(_ value: Value) throws -> [UInt8] {
        var encoder = self
        try encoder.append(value)
        return encoder.output
    }

    private mutating func append(_ value: Value) throws {
        try meter.step()
        try meter.check(bytes: output.count)
        switch value {
        case .none, .bool, .int, .float: output += try TemplateJSON.scalar(value)
        case .string(let text): append(text)
        case .list(let list), .tuple(let list):
            try appendContainer("[", "]", count: list.items.count) { try $0.append(list.items[$1]) }
        case .dict(let dict):
            let order = try sortsKeys ? sortedIndices(dict) : Array(dict.keys.indices)
            try appendContainer("{", "}", count: order.count) { encoder, index in
                let (key, value) = (dict.keys[order[index]], dict.values[order[index]])
                encoder.append(try TemplateJSON.keyText(key))
                encoder.output += encoder.keySeparator
                try encoder.append(value)
            }
        case .object(let object as GroupValue):
            let items = try Value.object(object).elements(meter: meter)
            try appendContainer("[", "]", count: items.count) { try $0.append(items[$1]) }
        default: throw TemplateFailure("Object of type \(value.typeName) is not JSON serializable")
        }
    }

    private mutating func appendContainer(
        _ open: String,
        _ close: String,
        count: Int,
        _ element: (inout TemplateJSON, Int) throws -> Void
    ) throws {
        output += open.utf8
        level += 1
        for index in 0..<count {
            if index > 0 { output += itemSeparator }
            try startLine()
            try element(&self, index)
        }
        level -= 1
        if count > 0 { try startLine() }
        output += close.utf8
    }

    private mutating func startLine() throws {
        guard let indentation else { return }
        try meter.check(bytes: output.count + level * indentation.count)
        output.append(0x0A)
        for _ in 0..<level { output += indentation }
    }

    private func sortedIndices(_ dict: DictValue) throws -> [Int] {
        try dict.keys.indices.sorted { try dict.keys[$0].isLess(than: dict.keys[$1], meter: meter) }
    }

    private static func keyText(_ key: Value) throws -> Text {
        switch key {
        case .string(let text): return text
        case .none, .bool, .int, .float: return Text(utf8: Array(try scalar(key)))
        default:
            throw TemplateFailure("keys must be str, int, float, bool or None, not \(key.typeName)")
        }
    }

    private static func scalar(_ value: Value) throws -> String.UTF8View {
        let text =
            switch value {
            case .none: "null"
            case .bool(let value): value ? "true" : "false"
            case .int(let value): String(value)
            case .float(let value):
                value.isNaN
                    ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : value.pythonRepresentation
            default: ""
            }
        return text.utf8
    }

    private mutating func append(_ text: Text) {
        output.append(UInt8(ascii: "\""))
        for scalar in text.scalars {
            switch scalar {
            case "\"", "\\": output += [UInt8(ascii: "\\"), UInt8(scalar.value)]
            case "\n": output += "\\n".utf8
            case "\r": output += "\\r".utf8
            case "\t": output += "\\t".utf8
            case "\u{8}": output += "\\b".utf8
            case "\u{C}": output += "\\f".utf8
            default:
                if scalar.value < 0x20 || escapesNonASCII && scalar.value > 0x7E {
                    appendEscape(scalar)
                } else {
                    output.append(scalar)
                }
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    private mutating func appendEscape(_ scalar: Unicode.Scalar) {
        for unit in String(scalar).utf16 {
            let hex = String(unit, radix: 16)
            output += "\\u".utf8
            output += repeatElement(UInt8(ascii: "0"), count: 4 - hex.utf8.count)
            output += hex.utf8
        }
    }
}
