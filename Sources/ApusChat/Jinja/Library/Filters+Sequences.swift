/// The value that an `attribute` argument such as `"function.name"` or `0` selects from an element.
struct AttributeGetter {
    private let parts: [Value]
    private let interpreter: Interpreter
    private let fallback: Value?

    /// - Parameter fallback: replaces what is undefined.
    init(_ attribute: Value?, _ interpreter: Interpreter, fallback: Value? = nil) {
        self.interpreter = interpreter
        self.fallback = fallback
        switch attribute {
        case nil, .some(.none): parts = []
        case .string(let text): parts = AttributeGetter.parts(text)
        case .some(let other): parts = [other]
        }
    }

    private static func parts(_ path: Text) -> [Value] {
        path.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { part in
            let isNumber = !part.isEmpty && part.allSatisfy { (0x30...0x39).contains($0) }
            let name = Text(utf8: Array(part))
            return isNumber ? Int(name.string).map(Value.int) ?? .string(name) : .string(name)
        }
    }

    func get(_ element: Value) throws -> Value {
        var value = element
        for part in parts {
            value = try interpreter.item(part, of: value)
            if value.isUndefined, let fallback { value = fallback }
        }
        return value
    }
}

/// A group of `groupby`: a pair that also answers to names.
final class GroupValue: TemplateObject {
    let typeName = "_GroupTuple"
    private let grouper: Value
    private let list: Value

    init(_ grouper: Value, _ list: Value) {
        self.grouper = grouper
        self.list = list
    }

    var depth: Int { max(grouper.depth, list.depth) + 1 }
    func length() -> Int? { 2 }
    func iterator(meter: Meter) -> ValueIterator? { ValueIterator([grouper, list]) }

    func attribute(_ name: String, _ interpreter: Interpreter) -> Value? {
        switch name {
        case "grouper": grouper
        case "list": list
        default: nil
        }
    }

    func item(_ key: Value, meter: Meter) -> Value? {
        switch key.integer {
        case 0, -2: grouper
        case 1, -1: list
        default: nil
        }
    }

    func representation(meter: Meter) throws -> String {
        try Value.tuple(ListValue([grouper, list])).representation(meter: meter)
    }
}

/// Filters over the elements of a value.
extension Filters {
    static let sequences: [String: Filter] = [
        "first": { value, _, interpreter in
            try value.iterator(meter: interpreter.meter).next()
                ?? .undefined(Undefined(message: "No first item, sequence was empty."))
        },
        "last": { value, _, interpreter in
            if try !isReversible(value) { throw TemplateFailure("'\(value.typeName)' object is not reversible") }
            return try value.elements(meter: interpreter.meter).last
                ?? .undefined(Undefined(message: "No last item, sequence was empty."))
        },
        "reverse": { value, _, interpreter in
            if let text = value.text { return try interpreter.meter.text(Text(text.scalars.reversed())) }
            let items = try value.elements(meter: interpreter.meter)
            if try !isReversible(value) { return try interpreter.meter.list(items.reversed()) }
            let reversed = ValueIterator(items.reversed())
            return .object(try GeneratorValue(over: value) { try reversed.next() })
        },
        "batch": { value, arguments, interpreter in
            let bound = try arguments.bind("batch", ["linecount", "fill_with"], required: 1)
            let (count, meter) = (try (bound[0] ?? .none).requireInteger(), interpreter.meter)
            let source = try value.iterator(meter: meter)
            var isFirst = true
            return .object(
                try GeneratorValue(over: value) {
                    defer { isFirst = false }
                    // An empty batch is full before its first element comes.
                    if isFirst, count == 0 { return try meter.list([]) }
                    return try batch(from: source, count, fill: bound[1], meter)
                }
            )
        },
        "slice": { value, arguments, interpreter in
            let bound = try arguments.bind("slice", ["slices", "fill_with"], required: 1)
            let count = try (bound[0] ?? .none).requireInteger()
            let items = try value.elements(meter: interpreter.meter)
            let slices = ValueIterator(try slices(of: items, count, fill: bound[1], interpreter.meter))
            return .object(try GeneratorValue(over: value) { try slices.next() })
        },
    ]

    private static func isReversible(_ value: Value) throws -> Bool {
        guard case .object(let object) = value else { return true }
        return try object.length() != nil
    }

    private static func batch(
        from source: ValueIterator,
        _ count: Int,
        fill: Value?,
        _ meter: Meter
    ) throws -> Value? {
        var items: [Value] = []
        while count <= 0 || items.count < count, let item = try source.next() {
            try meter.check(bytes: (items.count + 1) * MemoryCharge.perElement)
            items.append(item)
        }
        if items.isEmpty { return nil }
        if let fill, !fill.isNone, items.count < count {
            let missing = count - items.count
            try meter.check(bytes: missing > 1 << 40 ? .max : missing * MemoryCharge.perElement)
            items += repeatElement(fill, count: missing)
        }
        return try meter.list(items)
    }

    private static func slices(of items: [Value], _ count: Int, fill: Value?, _ meter: Meter) throws -> [Value] {
        if count == 0 { throw TemplateFailure("integer division or modulo by zero") }
        if count < 0 { return [] }
        try meter.check(bytes: count > 1 << 40 ? .max : count * MemoryCharge.perElement)
        let (size, extra) = (items.count / count, items.count % count)
        var start = 0
        return try (0..<count).map { index in
            let end = start + size + (index < extra ? 1 : 0)
            defer { start = end }
            let slice = Array(items[start..<end])
            guard let fill, !fill.isNone, index >= extra else { return try meter.list(slice) }
            return try meter.list(slice + [fill])
        }
    }
}

/// Filters that compute their elements when they are asked for.
extension Filters {
    static let lazy: [String: Filter] = [
        "map": { value, arguments, interpreter in
            try generator(over: value, interpreter) { try mapping(arguments, interpreter) }
        },
        "select": { try selecting($0, $1, $2, keeps: true, byAttribute: false) },
        "reject": { try selecting($0, $1, $2, keeps: false, byAttribute: false) },
        "selectattr": { try selecting($0, $1, $2, keeps: true, byAttribute: true) },
        "rejectattr": { try selecting($0, $1, $2, keeps: false, byAttribute: true) },
        "unique": { value, arguments, interpreter in
            let bound = try arguments.bind("unique", ["case_sensitive", "attribute"])
            let getter = AttributeGetter(bound[1], interpreter)
            let isCaseSensitive = bound[0]?.isTruthy ?? false
            var seen: Set<DictKey> = []
            return try generator(over: value, interpreter) { [unowned interpreter] in
                { item in
                    let key = try getter.get(item).folded(unless: isCaseSensitive)
                    try interpreter.meter.check(bytes: (seen.count + 1) * MemoryCharge.perElement)
                    return seen.insert(try DictKey(key, meter: interpreter.meter)).inserted ? item : nil
                }
            }
        },
    ]

    private typealias Transform = (Value) throws -> Value?

    /// A generator of what a transformation makes of each element; nil leaves an element out.
    ///
    /// The transformation is
    /// prepared when the first element is asked for, and never for an empty value.
    private static func generator(
        over value: Value,
        _ interpreter: Interpreter,
        _ prepare: @escaping () throws -> Transform
    ) throws -> Value {
        var prepared: (source: ValueIterator, transform: Transform)?
        return .object(
            try GeneratorValue(over: value) { [unowned interpreter] in
                if prepared == nil, !value.isTruthy { return nil }
                let (source, transform) =
                    try prepared
                    ?? {
                        let transform = try prepare()
                        return (try value.iterator(meter: interpreter.meter), transform)
                    }()
                prepared = (source, transform)
                return try interpreter.nested {
                    while let item = try source.next() {
                        try interpreter.meter.step()
                        if let result = try transform(item) { return result }
                    }
                    return nil
                }
            }
        )
    }

    private static func mapping(
        _ arguments: Arguments,
        _ interpreter: Interpreter
    ) throws -> Transform {
        if arguments.positional.isEmpty, arguments.keyword.contains(where: { $0.name == "attribute" }) {
            let bound = try arguments.bind("map", ["attribute", "default"])
            let fallback = bound[1].flatMap { $0.isNone ? nil : $0 }
            return AttributeGetter(bound[0], interpreter, fallback: fallback).get
        }
        guard let name = try arguments.positional.first?.requireText("map()") else {
            throw TemplateFailure("map requires a filter argument")
        }
        guard let filter = table[name.string] else { throw TemplateFailure("No filter named \(name.quoted).") }
        let rest = Arguments(positional: Array(arguments.positional.dropFirst()), keyword: arguments.keyword)
        return { [unowned interpreter] in try filter($0, rest, interpreter) }
    }

    private static func selecting(
        _ value: Value,
        _ arguments: Arguments,
        _ interpreter: Interpreter,
        keeps: Bool,
        byAttribute: Bool
    ) throws -> Value {
        try generator(over: value, interpreter) { [unowned interpreter] in
            var positional = arguments.positional[...]
            var getter = AttributeGetter(nil, interpreter)
            if byAttribute {
                guard let attribute = positional.popFirst() else {
                    throw TemplateFailure("Missing parameter for attribute name")
                }
                getter = AttributeGetter(attribute, interpreter)
            }
            var holds: (Value) throws -> Bool = { $0.isTruthy }
            if let name = try positional.popFirst()?.requireText("test name") {
                guard let test = Tests.table[name.string] else {
                    throw TemplateFailure("No test named \(name.quoted).")
                }
                let rest = Arguments(positional: Array(positional), keyword: arguments.keyword)
                holds = { [unowned interpreter] in try test($0, rest, interpreter) }
            }
            return { [getter] in try holds(try getter.get($0)) == keeps ? $0 : nil }
        }
    }
}
