import ApusCore
public import ApusFormats

extension ChatValue {
    /// The value of parsed JSON.
    /// - Throws: `ApusError` with code `template` for nesting that no template is given.
    public init(_ json: JSONValue) throws { try self.init(json, depth: 0) }

    private init(_ json: JSONValue, depth: Int) throws {
        if depth > RenderLimits.valueDepth {
            throw ApusError(.template, "JSON is nested more than \(RenderLimits.valueDepth) deep")
        }
        switch json.kind {
        case .null: self = .null
        case .bool: self = .bool(try json.bool())
        case .integer: self = .int(try json.integer())
        case .double: self = .double(try json.double())
        case .string: self = .string(try json.string())
        case .array: self = .array(try json.elements().map { try ChatValue($0, depth: depth + 1) })
        case .object:
            self = .object(
                try json.members().map { Member(try $0.key.string(), try ChatValue($0.value, depth: depth + 1)) }
            )
        }
    }
}
