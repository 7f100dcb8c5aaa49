/// Filters that make text.
extension Filters {
    static let text: [String: Filter] = [
        "lower": transform { $0.lowercased() },
        "upper": transform { $0.uppercased() },
        "capitalize": transform { $0.capitalized() },
        "title": transform(title),
        "trim": { value, arguments, interpreter in
            let characters = try arguments.bind("trim", ["chars"])[0].flatMap {
                $0.isNone ? nil : try $0.requireText("strip()")
            }
            let text = try value.printed(meter: interpreter.meter)
            return try interpreter.meter.text(text.stripped(.both, of: characters))
        },
        "replace": { value, arguments, interpreter in
            let meter = interpreter.meter
            let bound = try arguments.bind("replace", ["old", "new", "count"], required: 2).map { $0 ?? .none }
            let limit = bound[2].isNone ? -1 : try bound[2].requireInteger()
            var text = try value.printed(meter: meter)
            text.isMarkup = false
            return try meter.text(
                try text.replacing(
                    try bound[0].printed(meter: meter),
                    with: try bound[1].printed(meter: meter),
                    limit: limit,
                    meter: meter
                )
            )
        },
        "join": { value, arguments, interpreter in try join(value, arguments, interpreter) },
        "format": { value, arguments, interpreter in
            let meter = interpreter.meter
            if !arguments.positional.isEmpty, !arguments.keyword.isEmpty {
                throw TemplateFailure("can't handle positional and keyword arguments at the same time")
            }
            let format = try PercentFormat(try value.printed(meter: meter), meter: meter)
            if arguments.keyword.isEmpty { return try format.render(try meter.tuple(arguments.positional)) }
            let pairs = arguments.keyword.map { (Value.string(Text($0.name)), $0.value) }
            return try format.render(.dict(try DictValue(pairs, meter: meter)))
        },
        "indent": { value, arguments, interpreter in try indent(value, arguments, interpreter.meter) },
        "center": { value, arguments, interpreter in
            let width = try arguments.bind("center", ["width"])[0]?.requireInteger() ?? 80
            try interpreter.meter.check(bytes: width)
            return try interpreter.meter.text(try value.printed(meter: interpreter.meter).centered(width: width))
        },
        "truncate": { value, arguments, interpreter in try truncate(value, arguments, interpreter.meter) },
        "wordcount": { value, _, interpreter in
            var (count, isInWord) = (0, false)
            for scalar in try value.printed(meter: interpreter.meter).scalars {
                if scalar.isWord, !isInWord { count += 1 }
                isInWord = scalar.isWord
            }
            return .int(count)
        },
        "safe": { value, _, interpreter in
            var text = try value.printed(meter: interpreter.meter)
            text.isMarkup = true
            return try interpreter.meter.text(text)
        },
        "escape": { value, _, interpreter in
            try interpreter.meter.text(try value.printed(meter: interpreter.meter).escaped)
        },
        "forceescape": { value, _, interpreter in
            var text = try value.printed(meter: interpreter.meter)
            text.isMarkup = false
            return try interpreter.meter.text(text.escaped)
        },
        "urlencode": { value, _, interpreter in try urlEncode(value, interpreter.meter) },
    ]

    private static func transform(_ body: @escaping @Sendable (Text) -> Text) -> Filter {
        { value, _, interpreter in
            let text = try value.printed(meter: interpreter.meter)
            try interpreter.meter.check(bytes: text.utf8.count * 3)
            return try interpreter.meter.text(body(text))
        }
    }

    /// Jinja's own `title`: the first character of each run between spaces, dashes and opening brackets in upper
    /// case, the others in lower case.
    private static func title(_ text: Text) -> Text {
        var result: [UInt8] = []
        var word: [Unicode.Scalar] = []
        func flush() {
            guard let first = word.first else { return }
            result += first.properties.uppercaseMapping.utf8
            result += Text(word.dropFirst()).lowercased().utf8
            word = []
        }
        for scalar in text.scalars {
            if scalar.isPythonSpace || "-({[<".unicodeScalars.contains(scalar) {
                flush()
                result.append(scalar)
            } else {
                word.append(scalar)
            }
        }
        flush()
        return Text(utf8: result)
    }

    private static func join(_ value: Value, _ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        let meter = interpreter.meter
        let bound = try arguments.bind("join", ["d", "attribute"])
        let separator = try bound[0]?.printed(meter: meter) ?? ""
        let getter = AttributeGetter(bound[1], interpreter)
        let source = try value.iterator(meter: meter)
        var result: [UInt8] = []
        var isFirst = true
        while let item = try source.next() {
            if !isFirst { result += separator.utf8 }
            isFirst = false
            result += try getter.get(item).printed(meter: meter).utf8
            try meter.check(bytes: result.count)
            try meter.step()
        }
        return try meter.text(result)
    }

    private static func indent(_ value: Value, _ arguments: Arguments, _ meter: Meter) throws -> Value {
        let bound = try arguments.bind("indent", ["width", "first", "blank"])
        guard let text = value.text else {
            if case .undefined(let undefined) = value { throw undefined.failure }
            throw TemplateFailure("unsupported operand type(s) for +=: '\(value.typeName)' and 'str'")
        }
        var indentation = bound[0]?.text
        if indentation == nil {
            let width = try bound[0]?.requireInteger() ?? 4
            try meter.check(bytes: width)
            indentation = Text(utf8: [UInt8](repeating: 0x20, count: max(0, width)))
        }
        let indentsFirst = bound[1]?.isTruthy ?? false
        let indentsBlank = bound[2]?.isTruthy ?? false
        var result = indentsFirst ? indentation?.utf8 ?? [] : []
        let lines = try Text(utf8: text.utf8 + [0x0A]).lines(keepingEnds: false, meter: meter)
        for (index, line) in lines.enumerated() {
            if index > 0 {
                result.append(0x0A)
                if indentsBlank || !line.isEmpty { result += indentation?.utf8 ?? [] }
            }
            result += line.utf8
            try meter.check(bytes: result.count)
        }
        return try meter.text(Text(utf8: result, isMarkup: text.isMarkup))
    }

    private static func truncate(_ value: Value, _ arguments: Arguments, _ meter: Meter) throws -> Value {
        let bound = try arguments.bind("truncate", ["length", "killwords", "end", "leeway"])
        let length = try bound[0]?.requireInteger() ?? 255
        let end = try bound[2]?.requireText("truncate()") ?? "..."
        let leeway = try bound[3].map { $0.isNone ? 5 : try $0.requireInteger() } ?? 5
        let kept = length - end.count
        if kept < 0 { throw TemplateFailure("expected length >= \(end.count), got \(length)") }
        if leeway < 0 { throw TemplateFailure("expected leeway >= 0, got \(leeway)") }
        guard let count = try value.length() else {
            throw TemplateFailure("object of type '\(value.typeName)' has no len()")
        }
        if count <= length.addingReportingOverflow(leeway).partialValue { return value }
        let text = try value.requireText("truncate()")
        var result = text.slice(start: 0, step: 1, count: min(kept, count))
        if !(bound[1]?.isTruthy ?? false) {
            result = try result.splitFromEnd(at: " ", limit: 1, meter: meter).first ?? result
        }
        return try meter.text(result.utf8 + end.utf8)
    }

    private static func urlEncode(_ value: Value, _ meter: Meter) throws -> Value {
        func quote(_ value: Value, forQuery: Bool) throws -> [UInt8] {
            var result: [UInt8] = []
            for byte in try value.printed(meter: meter).utf8 {
                let scalar = Unicode.Scalar(byte)
                let isUnreserved = byte < 0x80 && scalar.isAlphanumeric || "-_.~".utf8.contains(byte)
                if isUnreserved || byte == 0x2F && !forQuery {
                    result.append(byte)
                } else if byte == 0x20, forQuery {
                    result.append(0x2B)
                } else {
                    let hex = String(byte, radix: 16, uppercase: true)
                    result += "%\(hex.count < 2 ? "0" : "")\(hex)".utf8
                }
                try meter.check(bytes: result.count)
            }
            return result
        }
        if value.text != nil { return try meter.text(try quote(value, forQuery: false)) }
        let pairs: [Value]
        if case .dict(let dict) = value {
            pairs = try dict.items(meter: meter)
        } else if try value.iteratorIfIterable(meter: meter) != nil {
            pairs = try value.elements(meter: meter)
        } else {
            return try meter.text(try quote(value, forQuery: false))
        }
        let parts = try pairs.map { pair in
            let items = try pair.elements(meter: meter)
            guard items.count == 2 else { throw TemplateFailure("urlencode needs pairs") }
            return try quote(items[0], forQuery: true) + [0x3D] + (try quote(items[1], forQuery: true))
        }
        return try meter.text(Array(parts.joined(separator: [0x26])))
    }
}
