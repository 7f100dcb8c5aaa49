import ApusCore
import ApusFormats

/// The types of JSON Schema.
enum SchemaType: String, CaseIterable {
    case null
    case boolean
    case integer
    case number
    case string
    case array
    case object

    /// Whether a value is of this type; 1.0 is an integer.
    func includes(_ value: JSONValue) -> Bool {
        switch (self, value.kind) {
        case (.null, .null), (.boolean, .bool), (.string, .string), (.array, .array), (.object, .object): true
        case (.number, .integer), (.number, .double), (.integer, .integer): true
        case (.integer, .double): (try? value.double()).map { $0 == $0.rounded() } ?? false
        default: false
        }
    }
}

/// The keywords of one schema, by name.
struct SchemaKeywords {
    private let values: [String: JSONValue]
    private let names: [String]
    let pointer: String

    init(_ schema: JSONValue, _ pointer: String) throws {
        guard schema.kind == .object else {
            throw ApusError(.invalidArgument, "schema at \(pointer.shown): expected an object or a bool")
        }
        let members = try schema.members().map { (try $0.key.string(), $0.value) }
        values = Dictionary(members) { _, last in last }
        names = members.map(\.0)
        self.pointer = pointer
    }

    subscript(name: String) -> JSONValue? { values[name] }

    func value(_ name: String) throws -> JSONValue {
        guard let value = values[name] else { throw invalid(name, "a value") }
        return value
    }

    /// Refuses every keyword that is neither one of these nor an annotation.
    func refuseAll(except accepted: Set<String>) throws {
        for name in names where !accepted.contains(name) && !JSONSchemaCompiler.annotations.contains(name) {
            throw unsupported(name, "here, because it would not be enforced; remove it")
        }
    }

    func types() throws -> [SchemaType]? {
        guard let value = self["type"] else { return nil }
        let names = value.kind == .array ? try value.elements().map { try $0.string() } : [try value.string()]
        let types = try names.map { name in
            guard let type = SchemaType(rawValue: name) else { throw invalid("type", "a type, found \(name.shown)") }
            return type
        }
        guard Set(types).count == types.count, !types.isEmpty else { throw invalid("type", "different types") }
        return types.contains(.number) ? types.filter { $0 != .integer } : types
    }

    /// The value of a keyword that counts something.
    func count(_ name: String, atMost limit: Int) throws -> Int? {
        guard let value = self[name] else { return nil }
        guard let count = try? value.integer(), count >= 0, count <= limit else {
            throw invalid(name, "an integer from 0 to \(limit)")
        }
        return count
    }

    func invalid(_ name: String, _ expected: String) -> ApusError {
        ApusError(.invalidArgument, "schema at \(pointer.shown)/\(name.shown): expected \(expected)")
    }

    func unsupported(_ name: String, _ what: String) -> ApusError {
        ApusError(
            .unsupported,
            "schema at \(pointer.shown)/\(name.shown): keyword \(name.shown) is not supported \(what)"
        )
    }
}

extension JSONValue {
    /// A scalar as JSON in its usual spelling; a whole number has no point.
    func scalarText(_ keywords: SchemaKeywords) throws -> String {
        switch kind {
        case .bool: return try bool() ? "true" : "false"
        case .string: return JSONText.literal(try string())
        case .integer: return String(try integer())
        case .double:
            let value = try double()
            guard value.isFinite else { throw keywords.invalid("enum", "finite numbers") }
            if let whole = Int(exactly: value), whole.magnitude < 1 << 53 { return String(whole) }
            return String(value)
        case .null, .array, .object: return "null"
        }
    }
}

extension String {
    /// A text as it may stand in a message: cut when long, without control characters.
    var shown: String {
        let head = String(String.UnicodeScalarView(unicodeScalars.prefix(100).map { $0.value < 0x20 ? "?" : $0 }))
        return unicodeScalars.count > 100 ? head + "…" : head
    }
}

extension StringProtocol {
    /// The text with each `word` replaced.
    func replacingAll(_ word: String, _ replacement: String) -> String {
        split(separator: word, omittingEmptySubsequences: false).joined(separator: replacement)
    }
}
