/// A dict: keys in the order of their insertion, each with its value.
final class DictValue {
    private(set) var keys: [Value] = []
    private(set) var values: [Value] = []
    private(set) var depth = 1
    private var index: [DictKey: Int] = [:]
    private var charge: MemoryCharge?

    init() {}

    /// Pairs made while rendering; a later value replaces an earlier one of an equal key.
    init(_ pairs: some Sequence<(Value, Value)>, meter: Meter) throws {
        for (key, value) in pairs { set(key, value, for: try DictKey(key, meter: meter)) }
        charge = try meter.charge(bytes: 2 * keys.count * MemoryCharge.perElement)
        try Meter.check(depth: depth)
    }

    /// Adds or replaces a pair with a string key.
    func set(_ key: Text, _ value: Value) { set(.string(key), value, for: .text(key.utf8)) }

    private func set(_ key: Value, _ value: Value, for dictKey: DictKey) {
        depth = max(depth, 1 + value.depth, 1 + key.depth)
        if let position = index[dictKey] {
            values[position] = value
            return
        }
        index[dictKey] = keys.count
        keys.append(key)
        values.append(value)
    }

    func value(for key: Text) -> Value? { index[.text(key.utf8)].map { values[$0] } }
    func value(for key: DictKey) -> Value? { index[key].map { values[$0] } }

    /// The keys with their values as tuples.
    func items(meter: Meter) throws -> [Value] {
        try zip(keys, values).map { try meter.tuple([$0, $1]) }
    }
}

/// A value's identity as a dict key: equal for values that Python finds equal, such as `1`, `1.0` and `True`.
enum DictKey: Hashable {
    case none
    case integer(Int)
    case float(Double)
    case text([UInt8])
    case object(ObjectIdentifier)
    case tuple([DictKey])

    init(_ value: Value, meter: Meter) throws {
        var bytes = 0
        try self.init(value, meter: meter, bytes: &bytes)
    }

    /// - Parameter bytes: what the key takes so far; nested tuples may repeat one another many times.
    private init(_ value: Value, meter: Meter, bytes: inout Int) throws {
        try meter.step()
        switch value {
        case .none: self = .none
        case .bool(let bool): self = .integer(bool ? 1 : 0)
        case .int(let int): self = .integer(int)
        case .float(let float): self = Int(exactly: float).map(DictKey.integer) ?? .float(float)
        case .string(let text): self = .text(text.utf8)
        case .tuple(let list):
            bytes += list.items.count * MemoryCharge.perElement
            try meter.check(bytes: bytes)
            self = .tuple(try list.items.map { try DictKey($0, meter: meter, bytes: &bytes) })
        case .undefined: self = .object(ObjectIdentifier(Undefined.self))
        case .object(let object): self = .object(ObjectIdentifier(object))
        case .list, .dict: throw TemplateFailure("unhashable type: '\(value.typeName)'")
        }
    }
}
