public import ApusCore

/// A value in a parsed JSON text.
///
/// A view of the text: strings and numbers are decoded when asked for, each time. Thread-safe. Where Python's `json`
/// and RFC 8259 leave room, Apus does as Python: of duplicate keys the last one counts, and a number too large for a
/// double is infinite. Two things differ: an integer beyond 64 bits becomes a double, and the escape of half a
/// surrogate pair, which no UTF-8 string can hold, becomes U+FFFD.
public struct JSONValue: Sendable {
    /// What a value is.
    public enum Kind: String, Sendable {
        case null
        case bool
        case integer
        case double
        case string
        case array
        case object
    }

    let document: JSONDocument
    let index: Int

    init(_ document: JSONDocument, _ index: Int) {
        self.document = document
        self.index = index
    }

    /// Parses a mapped file, or a part of one; the text stays in the file.
    /// - Throws: `ApusError` with code `malformedFile`, naming file, line and column, expected and found character.
    public init(parsing file: FileBytes) throws {
        self.init(try JSONDocument(parsing: .file(file), name: file.file.path), 0)
    }

    /// Parses bytes; `name` says in messages where they came from.
    /// - Throws: `ApusError` with code `malformedFile`, naming line and column, expected and found character.
    public init(parsing bytes: [UInt8], name: String) throws {
        self.init(try JSONDocument(parsing: .memory(bytes), name: name), 0)
    }

    var node: JSONNode { document.nodes[index] }

    /// What the value is.
    public var kind: Kind {
        switch node.kind {
        case .null: .null
        case .false, .true: .bool
        case .integer: .integer
        case .double: .double
        case .string, .escapedString: .string
        case .array: .array
        case .object: .object
        }
    }

    /// Whether the value is `null`.
    public var isNull: Bool { node.kind == .null }

    // MARK: Values of a kind; each throws `malformedFile` with the value's place if it is of another kind.

    /// The value of a bool.
    public func bool() throws -> Bool {
        guard kind == .bool else { throw malformed(expected: "a bool") }
        return node.kind == .true
    }

    /// The value of an integer: a number without fraction and exponent, within 64 bits.
    public func integer() throws -> Int {
        guard node.kind == .integer,
            let value = document.withSpan({ $0.integer(at: node.offset, count: node.count) })
        else { throw malformed(expected: "an integer") }
        return value
    }

    /// The value of any number.
    public func double() throws -> Double {
        guard node.kind == .integer || node.kind == .double, let value = Double(decodedString) else {
            throw malformed(expected: "a number")
        }
        return value
    }

    /// The text of a string.
    public func string() throws -> String {
        guard kind == .string else { throw malformed(expected: "a string") }
        return decodedString
    }

    /// Calls `body` with the UTF-8 bytes of a string, without making a `String` of them.
    public func withStringBytes<Result>(_ body: (RawSpan) throws -> Result) throws -> Result {
        switch node.kind {
        case .string:
            return try document.withSpan { try body($0.extracting(node.offset..<node.offset + node.count)) }
        case .escapedString:
            return try body(unescaped.span.bytes)
        default:
            throw malformed(expected: "a string")
        }
    }

    /// The elements of an array.
    public func elements() throws -> JSONArray {
        guard node.kind == .array else { throw malformed(expected: "an array") }
        return JSONArray(value: self)
    }

    /// The members of an object, in the order of the text; a key that stands twice is there twice.
    public func members() throws -> JSONObject {
        guard node.kind == .object else { throw malformed(expected: "an object") }
        return JSONObject(value: self)
    }

    // MARK: Members by key

    /// The member with a key, which must be there; of duplicates, the last.
    public func member(_ key: String) throws -> JSONValue {
        guard let value = try members()[key] else {
            throw ApusError(.notFound, "\(document.name): \(place(key)) is missing")
        }
        return value
    }

    /// The member with a key; nil if it is missing or `null`.
    public func memberIfPresent(_ key: String) throws -> JSONValue? {
        guard let value = try members()[key], !value.isNull else { return nil }
        return value
    }

    // MARK: Errors

    /// The error for this value being other than expected: file, place, expected and found.
    public func malformed(expected: String) -> ApusError {
        let found: String
        switch node.kind {
        case .null, .array, .object: found = kind.rawValue
        case .false, .true: found = "\(node.kind)"
        case .integer, .double: found = String(decodedString.prefix(40))
        case .string, .escapedString: found = decodedString.quotedForMessage
        }
        return .malformed(document.name, place(), expected: expected, found: found)
    }

    private func place(_ key: String? = nil) -> String {
        let path = document.path(to: index) + (key.map { "[\($0.quotedForMessage)]" } ?? "")
        return path.isEmpty ? "JSON" : "JSON at \(path)"
    }
}
