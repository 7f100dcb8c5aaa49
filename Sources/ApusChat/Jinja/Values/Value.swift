/// A value inside a template, with Python's types.
///
/// Strings, lists, tuples and dicts are immutable, as the sandbox that chat templates run in demands; what has
/// identity or state is an object.
enum Value {
    case undefined(Undefined)
    case none
    case bool(Bool)
    case int(Int)
    case float(Double)
    case string(Text)
    case list(ListValue)
    case tuple(ListValue)
    case dict(DictValue)
    case object(any TemplateObject)

    /// Python's name of the type, as its error messages print it.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "NoneType"
        case .bool: "bool"
        case .int: "int"
        case .float: "float"
        case .string(let text): text.isMarkup ? "Markup" : "str"
        case .list: "list"
        case .tuple: "tuple"
        case .dict: "dict"
        case .object(let object): object.typeName
        }
    }

    /// Python's `bool()`.
    var isTruthy: Bool {
        switch self {
        case .undefined, .none: false
        case .bool(let value): value
        case .int(let value): value != 0
        case .float(let value): value != 0
        case .string(let text): !text.isEmpty
        case .list(let list), .tuple(let list): !list.items.isEmpty
        case .dict(let dict): !dict.keys.isEmpty
        case .object(let object): object.isTruthy
        }
    }

    /// The number of lists and dicts around the innermost value.
    var depth: Int {
        switch self {
        case .list(let list), .tuple(let list): list.depth
        case .dict(let dict): dict.depth
        case .object(let object): object.depth
        default: 0
        }
    }

    /// The integer in an int or bool.
    var integer: Int? {
        switch self {
        case .int(let value): value
        case .bool(let value): value ? 1 : 0
        default: nil
        }
    }

    /// The number in an int, bool or float.
    var number: Double? {
        if case .float(let value) = self { return value }
        return integer.map(Double.init)
    }

    var text: Text? {
        if case .string(let text) = self { return text }
        return nil
    }

    var isUndefined: Bool {
        if case .undefined = self { return true }
        return false
    }

    var isNone: Bool {
        if case .none = self { return true }
        return false
    }
}

/// What a missing name, attribute or element evaluates to: prints nothing, is false and empty, fails otherwise.
final class Undefined {
    private let describe: () -> String

    init(name: String) { describe = { "'\(name)' is undefined" } }

    /// Something with its own explanation, such as an attribute that the sandbox forbids.
    init(message: String) { describe = { message } }

    /// An attribute or element that `owner` lacks.
    init(_ name: Value, of owner: Value) {
        let type = owner.isNone ? "None" : "\(owner.typeName) object"
        switch name {
        case .string(let text): describe = { "'\(type)' has no attribute '\(text)'" }
        case .int(let index): describe = { "\(type) has no element \(index)" }
        default:
            let nameType = name.typeName
            describe = { "\(type) has no such element (a \(nameType))" }
        }
    }

    var failure: TemplateFailure { TemplateFailure(describe()) }
}

/// The elements of a list or tuple.
final class ListValue {
    let items: [Value]
    let depth: Int
    private let charge: MemoryCharge?

    /// Elements of the caller's data, which its owner accounts for.
    init(_ items: [Value]) {
        self.items = items
        depth = 1 + (items.lazy.map(\.depth).max() ?? 0)
        charge = nil
    }

    /// Elements made while rendering.
    init(_ items: [Value], meter: Meter) throws {
        self.items = items
        depth = 1 + (items.lazy.map(\.depth).max() ?? 0)
        charge = try meter.charge(bytes: items.count * MemoryCharge.perElement)
        try Meter.check(depth: depth)
    }
}

extension Meter {
    /// Bounds the nesting of values, and with it every recursion over them.
    static func check(depth: Int) throws {
        if depth > RenderLimits.valueDepth {
            throw TemplateFailure("values are nested more than \(RenderLimits.valueDepth) deep")
        }
    }

    func text(_ text: Text) throws -> Value {
        var text = text
        if text.utf8.count > 64, text.charge == nil { text.charge = try charge(bytes: text.utf8.count) }
        return .string(text)
    }

    func text(_ utf8: [UInt8]) throws -> Value { try text(Text(utf8: utf8)) }
    func text(_ string: String) throws -> Value { try text(Text(string)) }
    func list(_ items: [Value]) throws -> Value { .list(try ListValue(items, meter: self)) }
    func tuple(_ items: [Value]) throws -> Value { .tuple(try ListValue(items, meter: self)) }
    func strings(_ items: [Text]) throws -> Value { try list(items.map { try text($0) }) }
}
