/// Writes JSON as it is told the values, in one of a few formats.
///
/// Containers are closures, so what is opened is closed. Doubles are written with the fewest digits that read back the
/// same, in Python's notation.
/// ```swift
/// var writer = JSONWriter(.pretty)
/// writer.object {
///     $0.key("tokens")
///     $0.array { for id in ids { $0.value(id) } }
/// }
/// print(writer.text)
/// ```
public struct JSONWriter: Sendable {
    /// How the text is laid out.
    public struct Format: Sendable {
        /// Spaces per level; nil writes everything on one line.
        public var indent: Int?
        /// What stands between two elements; the line break follows it where there is an indent.
        public var itemSeparator: String
        /// What stands between key and value.
        public var keySeparator: String
        /// Whether characters beyond printable ASCII are written as `\u` escapes.
        public var escapesNonASCII: Bool
        /// Whether the members of a `JSONValue` are written in the order of their keys' code points.
        public var sortsKeys: Bool

        /// Creates a format; without arguments that of Python's `json.dumps(value, ensure_ascii=False)`.
        public init(
            indent: Int? = nil,
            itemSeparator: String = ", ",
            keySeparator: String = ": ",
            escapesNonASCII: Bool = false,
            sortsKeys: Bool = false
        ) {
            self.indent = indent
            self.itemSeparator = itemSeparator
            self.keySeparator = keySeparator
            self.escapesNonASCII = escapesNonASCII
            self.sortsKeys = sortsKeys
        }

        /// No space at all.
        public static let compact = Format(itemSeparator: ",", keySeparator: ":")
        /// Two spaces per level.
        public static let pretty = Format(indent: 2, itemSeparator: ",")
    }

    /// The format.
    public let format: Format
    /// What was written, as UTF-8.
    public private(set) var bytes: [UInt8] = []
    private var depth = 0
    private var isFirstItem = true
    private var isAfterKey = false

    /// Creates a writer with nothing written.
    public init(_ format: Format = .compact) { self.format = format }

    /// What was written, as text.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    // MARK: Containers

    /// Writes an object; `body` writes its members, each a `key(_:)` and a value.
    public mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
        try container("{", "}", body)
    }

    /// Writes an array; `body` writes its elements.
    public mutating func array(_ body: (inout JSONWriter) throws -> Void) rethrows {
        try container("[", "]", body)
    }

    /// Writes the key of the member whose value is written next.
    public mutating func key(_ key: String) {
        beginItem()
        quote(key)
        bytes.append(contentsOf: format.keySeparator.utf8)
        isAfterKey = true
    }

    // MARK: Values

    /// Writes `null`.
    public mutating func null() { scalar("null") }
    /// Writes a bool.
    public mutating func value(_ value: Bool) { scalar(value ? "true" : "false") }
    /// Writes an integer.
    public mutating func value(_ value: some BinaryInteger) { scalar(String(value)) }
    /// Writes a string.
    public mutating func value(_ value: String) {
        beginItem()
        quote(value)
    }

    /// Writes a double; one that is not finite, which JSON cannot say, under the name that Python gives it.
    public mutating func value(_ value: Double) {
        if value.isNaN { return scalar("NaN") }
        if value.isInfinite { return scalar(value < 0 ? "-Infinity" : "Infinity") }
        scalar(value.description)
    }

    /// Writes a parsed value with all it contains; the parser bounds the depth.
    public mutating func value(_ value: JSONValue) {
        switch value.node.kind {
        case .null: null()
        case .false: self.value(false)
        case .true: self.value(true)
        case .integer: scalar(value.decodedString)
        case .double: self.value(Double(value.decodedString) ?? .nan)
        case .string, .escapedString: self.value(value.decodedString)
        case .array:
            array { for element in JSONArray(value: value) { $0.value(element) } }
        case .object:
            var members = JSONObject(value: value).map { (key: $0.key.decodedString, value: $0.value) }
            if format.sortsKeys { members.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) } }
            object { for member in members { $0.member(member.key, member.value) } }
        }
    }

    private mutating func member(_ key: String, _ value: JSONValue) {
        self.key(key)
        self.value(value)
    }

    // MARK: Layout

    private mutating func container(
        _ opening: String,
        _ closing: String,
        _ body: (inout JSONWriter) throws -> Void
    ) rethrows {
        scalar(opening)
        depth += 1
        isFirstItem = true
        try body(&self)
        depth -= 1
        if !isFirstItem { breakLine() }
        bytes.append(contentsOf: closing.utf8)
        isFirstItem = false
    }

    private mutating func scalar(_ text: String) {
        beginItem()
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func beginItem() {
        if isAfterKey {
            isAfterKey = false
            return
        }
        if !isFirstItem { bytes.append(contentsOf: format.itemSeparator.utf8) }
        if depth > 0 { breakLine() }
        isFirstItem = false
    }

    private mutating func breakLine() {
        guard let indent = format.indent else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent * depth))
    }

    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": bytes.append(contentsOf: "\\\"".utf8)
            case "\\": bytes.append(contentsOf: "\\\\".utf8)
            case "\n": bytes.append(contentsOf: "\\n".utf8)
            case "\r": bytes.append(contentsOf: "\\r".utf8)
            case "\t": bytes.append(contentsOf: "\\t".utf8)
            case "\u{08}": bytes.append(contentsOf: "\\b".utf8)
            case "\u{0C}": bytes.append(contentsOf: "\\f".utf8)
            case "\0"..<" ": escape(scalar)
            case " "..."~": bytes.append(UInt8(truncatingIfNeeded: scalar.value))
            default:
                if format.escapesNonASCII { escape(scalar) } else { bytes.append(contentsOf: String(scalar).utf8) }
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func escape(_ scalar: Unicode.Scalar) {
        for unit in String(scalar).utf16 {
            let digits = String(unit, radix: 16)
            bytes.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
        }
    }
}
