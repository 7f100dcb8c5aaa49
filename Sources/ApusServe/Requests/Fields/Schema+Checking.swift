package import ApusFormats

extension Schema {
    /// Checks a value.
    /// - Parameter path: where it stands, for messages: `messages[0].role`.
    /// - Throws: `ServiceError` naming the field, what was expected and what was found.
    package func check(_ value: JSONValue, at path: String) throws {
        switch self {
        case .any: return
        case .boolean, .string:
            if !hasKind(of: value) { throw mismatch(value, path) }
        case .constant(let expected):
            guard try value.kind == .bool && value.bool() == expected else { throw mismatch(value, path) }
        case .integer(let range):
            guard let integer = value.wholeNumber, range.contains(integer) else { throw mismatch(value, path) }
        case .number(let range):
            guard let number = value.number, range.contains(number) else { throw mismatch(value, path) }
        case .choice(let names):
            guard let string = value.text, names.contains(string) else { throw mismatch(value, path) }
        case .array(let element, let counts):
            guard value.kind == .array else { throw mismatch(value, path) }
            let elements = try value.elements()
            guard counts.contains(elements.count) else {
                throw ServiceError(
                    .invalidRequest,
                    "\(path): expected \(Self.words(counts)) elements, found \(elements.count)",
                    field: path
                )
            }
            for (index, item) in elements.enumerated() { try element.check(item, at: "\(path)[\(index)]") }
        case .dictionary(let member):
            guard value.kind == .object else { throw mismatch(value, path) }
            for (key, item) in try value.members() { try member.check(item, at: "\(path).\(try key.shownKey)") }
        case .object(let properties):
            guard value.kind == .object else { throw mismatch(value, path) }
            try Self.checkMembers(of: value, properties, path)
        case .oneOf(let schemas):
            try Self.checkAny(value, schemas, path, mismatch(value, path))
        }
    }

    private static func checkMembers(of value: JSONValue, _ properties: [Property], _ path: String) throws {
        var seen: Set<String> = []
        for (key, item) in try value.members() {
            let name = try key.string()
            let place = path.isEmpty ? try key.shownKey : "\(path).\(try key.shownKey)"
            seen.insert(name)
            guard let property = properties.first(where: { $0.name == name }) else {
                throw ServiceError(.unsupported, "\(place): unknown or unsupported field", field: place)
            }
            if item.isNull && !property.isRequired { continue }
            try property.schema.check(item, at: place)
        }
        for property in properties where property.isRequired && !seen.contains(property.name) {
            let place = path.isEmpty ? property.name : "\(path).\(property.name)"
            throw ServiceError(.invalidRequest, "\(place): is missing", field: place)
        }
    }

    private static func checkAny(
        _ value: JSONValue,
        _ schemas: [Schema],
        _ path: String,
        _ mismatch: ServiceError
    ) throws {
        let candidates = schemas.filter { $0.hasKind(of: value) }
        // With one candidate its own message says more.
        if candidates.count == 1, let only = candidates.first { return try only.check(value, at: path) }
        for candidate in candidates where (try? candidate.check(value, at: path)) != nil { return }
        throw mismatch
    }

    /// Whether a value's kind is right, its content aside.
    private func hasKind(of value: JSONValue) -> Bool {
        switch (self, value.kind) {
        case (.any, _), (.boolean, .bool), (.constant, .bool), (.integer, .integer), (.integer, .double),
            (.number, .integer), (.number, .double), (.string, .string), (.choice, .string), (.array, .array),
            (.object, .object), (.dictionary, .object):
            true
        case (.oneOf(let schemas), _): schemas.contains { $0.hasKind(of: value) }
        default: false
        }
    }

    private func mismatch(_ value: JSONValue, _ path: String) -> ServiceError {
        let place = path.isEmpty ? "the body" : path
        return ServiceError(
            .invalidRequest,
            "\(place): expected \(expectation), found \(value.shown)",
            field: path.isEmpty ? nil : path
        )
    }

    /// The schema in words.
    private var expectation: String {
        switch self {
        case .any: "any value"
        case .boolean: "a boolean"
        case .constant(let value): "\(value)"
        case .integer(let range): "a whole number, \(Self.words(range))"
        case .number(let range): "a number, \(range.lowerBound) to \(range.upperBound)"
        case .string: "a string"
        case .choice(let names): "one of \(names.map { "\"\($0)\"" }.joined(separator: ", "))"
        case .array(let element, _): "an array, each \(element.expectation)"
        case .object, .dictionary: "an object"
        case .oneOf(let schemas): schemas.map(\.expectation).joined(separator: ", or ")
        }
    }

    private static func words(_ range: ClosedRange<Int>) -> String {
        range.upperBound == .max ? "at least \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
    }
}

extension JSONValue {
    /// Refuses an object, however deep, with a key that stands twice: two readers would understand two requests.
    ///
    /// The parser bounds the depth.
    package func refuseDuplicateKeys() throws {
        switch kind {
        case .object:
            var seen: Set<String> = []
            for (key, value) in try members() {
                guard seen.insert(try key.string()).inserted else {
                    let name = try key.shownKey
                    throw ServiceError(.invalidRequest, "\(name): the key stands twice in one object", field: name)
                }
                try value.refuseDuplicateKeys()
            }
        case .array:
            for element in try elements() { try element.refuseDuplicateKeys() }
        default: return
        }
    }

    /// The value of a whole number, `1.0` included as JSON Schema has it; nil for anything else.
    package var wholeNumber: Int? {
        if let integer = try? integer() { return integer }
        return number.flatMap { Int(exactly: $0) }
    }

    /// The value of a finite number; nil for anything else.
    package var number: Double? { (try? double()).flatMap { $0.isFinite ? $0 : nil } }

    /// The value of a string; nil for anything else.
    package var text: String? { try? string() }

    /// A key as messages show it: as it stands where it is a plain name, else quoted and cut.
    fileprivate var shownKey: String {
        get throws {
            let key = try string()
            let isPlain =
                key.utf8.count <= 64 && key.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") }
            return isPlain ? key : key.quotedForMessage
        }
    }

    fileprivate var shown: String {
        switch kind {
        case .null, .array, .object: kind.rawValue
        case .bool: (try? bool()) == true ? "true" : "false"
        case .integer: (try? integer()).map(String.init) ?? "a number"
        case .double: (try? double()).map { "\($0)" } ?? "a number"
        case .string: (text ?? "").quotedForMessage
        }
    }
}
