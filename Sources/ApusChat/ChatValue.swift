/// A value that a chat template is given: JSON's types, with the order of object members kept.
public enum ChatValue: Sendable, Equatable {
    /// JSON `null`, Python `None`.
    case null
    /// A truth value.
    case bool(Bool)
    /// An integer.
    case int(Int)
    /// Any other number.
    case double(Double)
    /// A string.
    case string(String)
    /// Values in order.
    case array([ChatValue])
    /// Named values in order; of several with one name, the last counts.
    case object([Member])

    /// A name and its value.
    public struct Member: Sendable, Equatable {
        /// The name.
        public let key: String
        /// The value.
        public let value: ChatValue

        /// Creates a member.
        public init(_ key: String, _ value: ChatValue) {
            self.key = key
            self.value = value
        }
    }

    /// The value as the interpreter sees it; nesting is bounded.
    func templateValue(depth: Int = 0) throws -> Value {
        try Meter.check(depth: depth)
        switch self {
        case .null: return .none
        case .bool(let value): return .bool(value)
        case .int(let value): return .int(value)
        case .double(let value): return .float(value)
        case .string(let value): return .string(Text(value))
        case .array(let items): return .list(ListValue(try items.map { try $0.templateValue(depth: depth + 1) }))
        case .object(let members):
            let dict = DictValue()
            for member in members { dict.set(Text(member.key), try member.value.templateValue(depth: depth + 1)) }
            return .dict(dict)
        }
    }
}

extension ChatValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// `null`.
    public init(nilLiteral: ()) { self = .null }
    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// An integer.
    public init(integerLiteral value: Int) { self = .int(value) }
    /// A number.
    public init(floatLiteral value: Double) { self = .double(value) }
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// An array of the elements.
    public init(arrayLiteral elements: ChatValue...) { self = .array(elements) }
    /// An object of the pairs, in their order.
    public init(dictionaryLiteral elements: (String, ChatValue)...) {
        self = .object(elements.map { Member($0, $1) })
    }
}
