import ApusCore

/// A metadata entry of a GGUF file: a key and its value, which stays in the mapped file until it is asked for.
public struct GGUFField: Sendable {
    /// The key, `general.architecture` for example.
    public let key: String
    /// The type of the value.
    public let type: GGUFValueType
    /// The type of the elements, where the value is an array.
    public let elementType: GGUFValueType?
    /// How many elements the value has: 1 unless it is an array.
    public let count: Int
    /// The value's bytes: a string's text, a number, or the array's elements after its header.
    let payload: FileBytes

    /// The type as messages and listings write it: `uint32`, `array of string`.
    public var typeDescription: String {
        elementType.map { "array of \($0)" } ?? type.description
    }

    /// The value for a listing: a number, the text, or an array's first `limit` elements and its count.
    public func valueDescription(limit: Int = 3) -> String {
        guard let elementType else { return Self.describe(payload, at: 0, as: type) }
        var parts: [String] = []
        if elementType == .string {
            let strings = GGUFStringArray(payload: payload, count: count)
            parts = strings?.prefix(limit).map(\.repairedText.debugDescription) ?? []
        } else if let stride = elementType.fixedByteCount {
            parts = (0..<Swift.min(limit, count)).map { Self.describe(payload, at: $0 * stride, as: elementType) }
        }
        if parts.count < count { parts.append("… (\(count))") }
        return "[" + parts.joined(separator: ", ") + "]"
    }

    private static func describe(_ payload: FileBytes, at offset: Int, as type: GGUFValueType) -> String {
        switch type {
        case .string: payload.repairedText
        case .bool: payload.withSpan { $0.byte(at: offset) } == 1 ? "true" : "false"
        case .float32: "\(payload.float32(at: offset))"
        case .float64: "\(payload.float64(at: offset))"
        case .uint64: "\(payload.withSpan { $0.littleEndian(at: offset, as: UInt64.self) } ?? 0)"
        default: payload.integer(at: offset, as: type).map { "\($0)" } ?? ""
        }
    }
}

extension FileBytes {
    /// The integer of a GGUF type at `offset`; nil if it lies outside, is no integer or exceeds `Int`.
    func integer(at offset: Int, as type: GGUFValueType) -> Int? {
        withSpan { span in
            switch type {
            case .uint8: span.littleEndian(at: offset, as: UInt8.self).map { Int($0) }
            case .int8: span.littleEndian(at: offset, as: Int8.self).map { Int($0) }
            case .uint16: span.littleEndian(at: offset, as: UInt16.self).map { Int($0) }
            case .int16: span.littleEndian(at: offset, as: Int16.self).map { Int($0) }
            case .uint32: span.littleEndian(at: offset, as: UInt32.self).map { Int($0) }
            case .int32: span.littleEndian(at: offset, as: Int32.self).map { Int($0) }
            case .uint64: span.littleEndian(at: offset, as: UInt64.self).flatMap { Int(exactly: $0) }
            case .int64: span.littleEndian(at: offset, as: Int64.self).map { Int($0) }
            case .float32, .float64, .bool, .string, .array: nil
            }
        }
    }

    /// The float at `offset`; NaN outside, which no checked caller reaches.
    func float32(at offset: Int) -> Float {
        withSpan { $0.littleEndian(at: offset, as: UInt32.self) }.map { Float(bitPattern: $0) } ?? .nan
    }

    /// The double at `offset`; NaN outside, which no checked caller reaches.
    func float64(at offset: Int) -> Double {
        withSpan { $0.littleEndian(at: offset, as: UInt64.self) }.map { Double(bitPattern: $0) } ?? .nan
    }
}
