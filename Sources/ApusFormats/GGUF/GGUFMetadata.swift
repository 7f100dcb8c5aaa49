import ApusCore

/// The metadata of a GGUF file: typed access by key, and iteration over all fields in file order.
///
/// Thread-safe. Each accessor comes in two forms: `string(_:)` throws when the key is missing, `stringIfPresent(_:)`
/// returns nil then. Both throw `ApusError` with code `malformedFile`, naming key, expected and found type, when the value is of
/// another type.
public struct GGUFMetadata: RandomAccessCollection, Sendable {
    /// The file the metadata was read from, for messages.
    public let path: String
    private let fields: [GGUFField]
    private let indices: [String: Int]

    init(path: String, fields: [GGUFField], indices: [String: Int]) {
        self.path = path
        self.fields = fields
        self.indices = indices
    }

    /// The first index, 0.
    public var startIndex: Int { 0 }
    /// The number of fields.
    public var endIndex: Int { fields.count }
    /// The field at a position in file order.
    public subscript(position: Int) -> GGUFField { fields[position] }

    /// The field with a key; nil if there is none.
    public func field(_ key: String) -> GGUFField? { indices[key].map { fields[$0] } }

    // MARK: Single values

    /// The text of a string field.
    public func string(_ key: String) throws -> String { try required(key, stringIfPresent(key)) }

    /// The text of a string field; nil if the key is missing.
    public func stringIfPresent(_ key: String) throws -> String? {
        guard let field = try field(key, expected: "string", where: { $0.type == .string }) else { return nil }
        guard let text = field.payload.text else {
            throw malformed(key, expected: "valid UTF-8", found: "\(field.payload.count) bytes that are not")
        }
        return text
    }

    /// The value of an integer field of any width.
    public func integer(_ key: String) throws -> Int { try required(key, integerIfPresent(key)) }

    /// The value of an integer field of any width; nil if the key is missing.
    public func integerIfPresent(_ key: String) throws -> Int? {
        guard let field = try field(key, expected: "integer", where: \.type.isInteger) else { return nil }
        guard let value = field.payload.integer(at: 0, as: field.type) else {
            throw malformed(key, expected: "at most \(Int.max)", found: field.valueDescription())
        }
        return value
    }

    /// The value of a float32 or float64 field.
    public func float(_ key: String) throws -> Double { try required(key, floatIfPresent(key)) }

    /// The value of a float32 or float64 field; nil if the key is missing.
    public func floatIfPresent(_ key: String) throws -> Double? {
        guard let field = try field(key, expected: "float", where: \.type.isFloat) else { return nil }
        return field.type == .float32 ? Double(field.payload.float32(at: 0)) : field.payload.float64(at: 0)
    }

    /// The value of a bool field.
    public func bool(_ key: String) throws -> Bool { try required(key, boolIfPresent(key)) }

    /// The value of a bool field; nil if the key is missing.
    public func boolIfPresent(_ key: String) throws -> Bool? {
        try field(key, expected: "bool", where: { $0.type == .bool })?.payload.withSpan { $0.byte(at: 0) == 1 }
    }

    // MARK: Arrays

    /// The elements of an array of strings.
    public func strings(_ key: String) throws -> GGUFStringArray { try required(key, stringsIfPresent(key)) }

    /// The elements of an array of strings; nil if the key is missing.
    public func stringsIfPresent(_ key: String) throws -> GGUFStringArray? {
        guard let field = try array(key, of: "string", where: { $0 == .string }) else { return nil }
        guard let strings = GGUFStringArray(payload: field.payload, count: field.count) else {
            throw malformed(key, expected: "at most 4 GiB of strings", found: "\(field.payload.count) bytes")
        }
        return strings
    }

    /// The elements of an array of float32 or float64, as float32.
    public func floats(_ key: String) throws -> GGUFValueArray<Float> { try required(key, floatsIfPresent(key)) }

    /// The elements of an array of float32 or float64, as float32; nil if the key is missing.
    public func floatsIfPresent(_ key: String) throws -> GGUFValueArray<Float>? {
        guard let field = try array(key, of: "float", where: \.isFloat) else { return nil }
        if field.elementType == .float32 {
            return GGUFValueArray(payload: field.payload, stride: 4) { $0.float32(at: $1) }
        }
        return GGUFValueArray(payload: field.payload, stride: 8) { Float($0.float64(at: $1)) }
    }

    /// The elements of an array of integers of any width.
    public func integers(_ key: String) throws -> GGUFValueArray<Int> { try required(key, integersIfPresent(key)) }

    /// The elements of an array of integers of any width; nil if the key is missing.
    public func integersIfPresent(_ key: String) throws -> GGUFValueArray<Int>? {
        guard let field = try array(key, of: "integer", where: \.isInteger), let type = field.elementType,
            let stride = type.fixedByteCount
        else { return nil }
        if type == .uint64 {
            let oversized = (0..<field.count).first { field.payload.integer(at: $0 * stride, as: type) == nil }
            if let oversized {
                throw malformed(key, expected: "at most \(Int.max)", found: "more at index \(oversized)")
            }
        }
        return GGUFValueArray(payload: field.payload, stride: stride) { $0.integer(at: $1, as: type) ?? 0 }
    }

    /// The elements of an array of bools.
    public func bools(_ key: String) throws -> GGUFValueArray<Bool> { try required(key, boolsIfPresent(key)) }

    /// The elements of an array of bools; nil if the key is missing.
    public func boolsIfPresent(_ key: String) throws -> GGUFValueArray<Bool>? {
        guard let field = try array(key, of: "bool", where: { $0 == .bool }) else { return nil }
        return GGUFValueArray(payload: field.payload, stride: 1) { bytes, offset in
            bytes.withSpan { $0.byte(at: offset) } == 1
        }
    }

    // MARK: Checks

    private func field(
        _ key: String,
        expected: String,
        where matches: (GGUFField) -> Bool
    ) throws -> GGUFField? {
        guard let field = field(key) else { return nil }
        guard matches(field) else { throw malformed(key, expected: expected, found: field.typeDescription) }
        return field
    }

    private func array(
        _ key: String,
        of element: String,
        where matches: (GGUFValueType) -> Bool
    ) throws -> GGUFField? {
        try field(key, expected: "array of \(element)") { $0.elementType.map(matches) ?? false }
    }

    private func required<Value>(_ key: String, _ value: Value?) throws -> Value {
        guard let value else { throw ApusError(.notFound, "\(path): metadata \(key.quotedForMessage) is missing") }
        return value
    }

    private func malformed(_ key: String, expected: String, found: String) -> ApusError {
        .malformed(path, "metadata \(key.quotedForMessage)", expected: expected, found: found)
    }
}
