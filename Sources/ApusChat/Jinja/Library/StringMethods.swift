/// Methods of strings.
enum StringMethods {
    static let table: [String: Method<Text>] = transforming.merging(testing) { $1 }
        .merging(searching) { $1 }
        .merging(splitting) { $1 }
        .merging(building) { $1 }

    private static let transforming: [String: Method<Text>] = [
        "lower": transform("lower") { $0.lowercased() },
        "upper": transform("upper") { $0.uppercased() },
        "casefold": transform("casefold") {
            Text($0.scalars.reduce(into: "") { $0 += $1.properties.lowercaseMapping })
        },
        "title": transform("title") { $0.titlecased() },
        "capitalize": transform("capitalize") { $0.capitalized() },
        "swapcase": transform("swapcase") { $0.caseSwapped() },
        "strip": strip("strip", .both),
        "lstrip": strip("lstrip", .left),
        "rstrip": strip("rstrip", .right),
        "center": pad("center"),
        "ljust": pad("ljust"),
        "rjust": pad("rjust"),
        "zfill": Method { text, arguments, interpreter in
            let width = try arguments.exactly("zfill", 1...1)[0].requireInteger()
            try interpreter.meter.check(bytes: width)
            let sign = text.utf8.first == UInt8(ascii: "-") || text.utf8.first == UInt8(ascii: "+") ? 1 : 0
            let zeros = [UInt8](repeating: 0x30, count: max(0, width - text.count))
            return try interpreter.meter.text(Array(text.utf8[..<sign]) + zeros + text.utf8[sign...])
        },
        "expandtabs": Method { text, arguments, interpreter in
            let size = try arguments.bind("expandtabs", ["tabsize"])[0]?.requireInteger() ?? 8
            return try interpreter.meter.text(try expandTabs(text, size, interpreter.meter))
        },
        "replace": Method { text, arguments, interpreter in
            let values = try arguments.exactly("replace", 2...3)
            let limit = values.count > 2 ? try values[2].requireInteger() : -1
            let (old, new) = (try values[0].requireText("replace()"), try values[1].requireText("replace()"))
            var result = try text.replacing(
                old,
                with: text.isMarkup ? new.escaped : new,
                limit: limit,
                meter: interpreter.meter
            )
            result.isMarkup = text.isMarkup
            return try interpreter.meter.text(result)
        },
        "removeprefix": Method { text, arguments, interpreter in
            let prefix = try arguments.exactly("removeprefix", 1...1)[0].requireText("removeprefix()")
            return try interpreter.meter.text(
                text.hasPrefix(prefix) ? text.bytes(prefix.utf8.count, text.utf8.count) : text
            )
        },
        "removesuffix": Method { text, arguments, interpreter in
            let suffix = try arguments.exactly("removesuffix", 1...1)[0].requireText("removesuffix()")
            return try interpreter.meter.text(
                text.hasSuffix(suffix) ? text.bytes(0, text.utf8.count - suffix.utf8.count) : text
            )
        },
    ]

    private static func transform(_ name: String, _ body: @escaping @Sendable (Text) -> Text) -> Method<Text> {
        Method { text, arguments, interpreter in
            _ = try arguments.exactly(name, 0...0)
            try interpreter.meter.check(bytes: text.utf8.count * 3)
            return try interpreter.meter.text(body(text))
        }
    }

    private static func strip(_ name: String, _ side: Text.Side) -> Method<Text> {
        Method { text, arguments, interpreter in
            let characters = try arguments.exactly(name, 0...1).first.flatMap {
                $0.isNone ? nil : try $0.requireText("\(name)()")
            }
            return try interpreter.meter.text(text.stripped(side, of: characters))
        }
    }

    private static func pad(_ name: String) -> Method<Text> {
        Method { text, arguments, interpreter in
            let values = try arguments.exactly(name, 1...2)
            let fill = values.count > 1 ? try values[1].requireText("\(name)()") : " "
            guard fill.count == 1, let scalar = fill.scalars.first else {
                throw TemplateFailure("The fill character must be exactly one character long")
            }
            let width = try values[0].requireInteger()
            try interpreter.meter.check(bytes: width.multipliedReportingOverflow(by: 4).overflow ? .max : width * 4)
            if name == "center" { return try interpreter.meter.text(text.centered(width: width, fill: scalar)) }
            return try interpreter.meter.text(
                FormatSpec.pad(text.utf8, to: width, align: name == "ljust" ? "<" : ">", fill: scalar)
            )
        }
    }

    private static func expandTabs(_ text: Text, _ size: Int, _ meter: Meter) throws -> [UInt8] {
        var result: [UInt8] = []
        var column = 0
        for scalar in text.scalars {
            if scalar == "\t" {
                let count = size > 0 ? size - column % size : 0
                try meter.check(bytes: result.count + count)
                result += repeatElement(0x20, count: count)
                column += count
            } else {
                result.append(scalar)
                column = scalar == "\n" || scalar == "\r" ? 0 : column + 1
            }
        }
        return result
    }
}

/// Questions about a string's characters.
extension StringMethods {
    fileprivate static let testing: [String: Method<Text>] = [
        "isalnum": all("isalnum", \.isAlphanumeric),
        "isalpha": all("isalpha", \.isLetter),
        "isascii": Method { text, _, _ in .bool(text.utf8.allSatisfy { $0 < 0x80 }) },
        "isdecimal": all("isdecimal") { $0.properties.numericType == .decimal },
        "isdigit": all("isdigit") { $0.properties.numericType == .decimal || $0.properties.numericType == .digit },
        "isnumeric": all("isnumeric") { $0.properties.numericType != nil },
        "isspace": all("isspace", \.isPythonSpace),
        "isprintable": Method { text, _, _ in .bool(text.scalars.allSatisfy(\.isPrintable)) },
        "isidentifier": Method { text, _, _ in
            let isStart = text.scalars.first.map { $0 == "_" || $0.properties.isXIDStart } ?? false
            return .bool(isStart && text.scalars.allSatisfy(\.properties.isXIDContinue))
        },
        "islower": Method { text, _, _ in .bool(text.isCased(\.isLower, not: { $0.isUpper || $0.isTitle })) },
        "isupper": Method { text, _, _ in .bool(text.isCased(\.isUpper, not: { $0.isLower || $0.isTitle })) },
        "istitle": Method { text, _, _ in .bool(text.isTitlecased) },
        "startswith": affix("startswith") { $0.hasPrefix($1) },
        "endswith": affix("endswith") { $0.hasSuffix($1) },
    ]

    private static func all(
        _ name: String,
        _ test: @escaping @Sendable (Unicode.Scalar) -> Bool
    ) -> Method<Text> {
        Method { text, arguments, _ in
            _ = try arguments.exactly(name, 0...0)
            return .bool(!text.isEmpty && text.scalars.allSatisfy(test))
        }
    }

    /// `startswith` and `endswith`: one string or a tuple of them, within optional bounds.
    private static func affix(
        _ name: String,
        _ test: @escaping @Sendable (Text, Text) -> Bool
    ) -> Method<Text> {
        Method { text, arguments, interpreter in
            let values = try arguments.exactly(name, 1...3)
            var part = text
            if values.count > 1 {
                let bounds = values.dropFirst() + [Value.none]
                let sliced = try interpreter.slice(.string(text), bounds[1], bounds[2], .none)
                part = try sliced.requireText("\(name)()")
            }
            try interpreter.meter.spend(bytes: part.utf8.count)
            if case .tuple(let list) = values[0] {
                return .bool(try list.items.contains { test(part, try $0.requireText("\(name)()")) })
            }
            if values[0].text == nil, !values[0].isUndefined {
                throw TemplateFailure(
                    "\(name) first arg must be str or a tuple of str, not \(values[0].typeName)"
                )
            }
            return .bool(test(part, try values[0].requireText("\(name)()")))
        }
    }
}

/// Searching and counting.
extension StringMethods {
    fileprivate static let searching: [String: Method<Text>] = [
        "find": search("find", fromEnd: false, isRequired: false),
        "rfind": search("rfind", fromEnd: true, isRequired: false),
        "index": search("index", fromEnd: false, isRequired: true),
        "rindex": search("rindex", fromEnd: true, isRequired: true),
        "count": Method { text, arguments, interpreter in
            let (needle, start, end) = try range("count", text, arguments)
            guard let start else { return .int(0) }
            if needle.isEmpty { return .int(text.bytes(start, end).count + 1) }
            var (count, position) = (0, start)
            while let match = try text.firstOffset(of: needle, from: position, to: end, meter: interpreter.meter) {
                count += 1
                position = match + needle.utf8.count
            }
            return .int(count)
        },
    ]

    private static func search(_ name: String, fromEnd: Bool, isRequired: Bool) -> Method<Text> {
        Method { text, arguments, interpreter in
            let (needle, start, end) = try range(name, text, arguments)
            let meter = interpreter.meter
            let match = try start.flatMap {
                fromEnd
                    ? try text.lastOffset(of: needle, from: $0, to: end, meter: meter)
                    : try text.firstOffset(of: needle, from: $0, to: end, meter: meter)
            }
            if let match { return .int(text.scalarIndex(ofByte: match)) }
            if isRequired { throw TemplateFailure("substring not found") }
            return .int(-1)
        }
    }

    /// What is searched, and the bytes to search in; the start is nil where it lies beyond the end.
    private static func range(
        _ name: String,
        _ text: Text,
        _ arguments: Arguments
    ) throws -> (needle: Text, start: Int?, end: Int) {
        let values = try arguments.exactly(name, 1...3)
        let needle = try values[0].requireText("\(name)()")
        let count = text.count
        func bound(_ index: Int, _ fallback: Int) throws -> Int {
            guard values.count > index, !values[index].isNone else { return fallback }
            let bound = try values[index].requireInteger()
            return bound < 0 ? max(0, bound + count) : bound
        }
        let (start, end) = (try bound(1, 0), min(try bound(2, count), count))
        return (needle, start <= end ? text.byteOffset(ofScalar: start) : nil, text.byteOffset(ofScalar: end))
    }

    fileprivate static let splitting: [String: Method<Text>] = [
        "split": split("split") {
            try $0.split(at: $1, limit: $2, meter: $3)
        } whitespace: {
            try $0.splitAtWhitespace(limit: $1, meter: $2)
        },
        "rsplit": split("rsplit") {
            try $0.splitFromEnd(at: $1, limit: $2, meter: $3)
        } whitespace: {
            try $0.splitAtWhitespaceFromEnd(limit: $1, meter: $2)
        },
        "splitlines": Method { text, arguments, interpreter in
            let keepsEnds = try arguments.bind("splitlines", ["keepends"])[0]?.isTruthy ?? false
            return try interpreter.meter.strings(try text.lines(keepingEnds: keepsEnds, meter: interpreter.meter))
        },
        "partition": Method { text, arguments, interpreter in
            let separator = try separator("partition", arguments)
            let match = try text.firstOffset(of: separator, from: 0, meter: interpreter.meter)
            return try parts(text, match, separator, fallback: [text, "", ""], interpreter.meter)
        },
        "rpartition": Method { text, arguments, interpreter in
            let separator = try separator("rpartition", arguments)
            let match = try text.lastOffset(of: separator, from: 0, to: text.utf8.count, meter: interpreter.meter)
            return try parts(text, match, separator, fallback: ["", "", text], interpreter.meter)
        },
    ]

    private static func split(
        _ name: String,
        _ body: @escaping @Sendable (Text, Text, Int, Meter) throws -> [Text],
        whitespace: @escaping @Sendable (Text, Int, Meter) throws -> [Text]
    ) -> Method<Text> {
        Method { text, arguments, interpreter in
            let bound = try arguments.bind(name, ["sep", "maxsplit"])
            let (limit, meter) = (try bound[1]?.requireInteger() ?? -1, interpreter.meter)
            guard let separator = bound[0], !separator.isNone else {
                return try meter.strings(try whitespace(text, limit, meter))
            }
            let text = try body(text, try nonEmpty(try separator.requireText("\(name)()")), limit, meter)
            return try meter.strings(text)
        }
    }

    private static func separator(_ name: String, _ arguments: Arguments) throws -> Text {
        try nonEmpty(try arguments.exactly(name, 1...1)[0].requireText("\(name)()"))
    }

    private static func nonEmpty(_ separator: Text) throws -> Text {
        if separator.isEmpty { throw TemplateFailure("empty separator") }
        return separator
    }

    private static func parts(
        _ text: Text,
        _ match: Int?,
        _ separator: Text,
        fallback: [Text],
        _ meter: Meter
    ) throws -> Value {
        guard let match else { return try meter.tuple(try fallback.map { try meter.text($0) }) }
        let end = match + separator.utf8.count
        let parts = [text.bytes(0, match), separator, text.bytes(end, text.utf8.count)]
        return try meter.tuple(try parts.map { try meter.text($0) })
    }

    fileprivate static let building: [String: Method<Text>] = [
        "join": Method { text, arguments, interpreter in
            let items = try arguments.exactly("join", 1...1)[0].elements(meter: interpreter.meter)
            var result: [UInt8] = []
            for (index, item) in items.enumerated() {
                guard let part = item.text else {
                    throw TemplateFailure("sequence item \(index): expected str instance, \(item.typeName) found")
                }
                if index > 0 { result += text.utf8 }
                result += text.isMarkup ? part.escaped.utf8 : part.utf8
                try interpreter.meter.check(bytes: result.count)
            }
            return try interpreter.meter.text(Text(utf8: result, isMarkup: text.isMarkup))
        },
        "format": Method { text, arguments, interpreter in
            var format = BraceFormat(arguments, interpreter)
            return try format.render(text)
        },
        "format_map": Method { text, arguments, interpreter in
            guard case .dict(let dict) = try arguments.exactly("format_map", 1...1)[0] else {
                throw TemplateFailure("format_map() argument must be a dict")
            }
            let named = zip(dict.keys, dict.values).compactMap { key, value in key.text.map { ($0.string, value) } }
            var format = BraceFormat(Arguments(keyword: named.map { (name: $0.0, value: $0.1) }), interpreter)
            return try format.render(text)
        },
    ]
}

extension Text {
    fileprivate func isCased(
        _ wanted: (Unicode.Scalar) -> Bool,
        not unwanted: (Unicode.Scalar) -> Bool
    ) -> Bool {
        scalars.contains(where: wanted) && !scalars.contains(where: unwanted)
    }

    /// `str.istitle`: upper case only after uncased characters, lower case only after cased ones.
    fileprivate var isTitlecased: Bool {
        var (previousIsCased, hasCased) = (false, false)
        for scalar in scalars {
            if scalar.isUpper || scalar.isTitle {
                if previousIsCased { return false }
                (previousIsCased, hasCased) = (true, true)
            } else if scalar.isLower {
                if !previousIsCased { return false }
                hasCased = true
            } else {
                previousIsCased = false
            }
        }
        return hasCased
    }

    /// `str.center`, which puts an odd space to the left only if the width is odd.
    func centered(width: Int, fill: Unicode.Scalar = " ") -> Text {
        let missing = width - count
        if missing <= 0 { return self }
        let left = missing / 2 + (missing & width & 1)
        let padding = Array(fill.utf8)
        return Text(
            utf8: Array(repeatElement(padding, count: left).joined()) + utf8
                + Array(repeatElement(padding, count: missing - left).joined())
        )
    }
}
