/// Filters that compare elements.
extension Filters {
    static let ordering: [String: Filter] = [
        "sort": { value, arguments, interpreter in
            let bound = try arguments.bind("sort", ["reverse", "case_sensitive", "attribute"])
            let paths = bound[2]?.text.map { path in
                path.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map {
                    Value.string(Text(utf8: Array($0)))
                }
            }
            let getters = (paths ?? [bound[2] ?? .none]).map { AttributeGetter($0, interpreter) }
            let isCaseSensitive = bound[1]?.isTruthy ?? false
            let isReversed = try bound[0]?.requireInteger() ?? 0 != 0
            let items = try sorted(
                value.elements(meter: interpreter.meter),
                isReversed: isReversed,
                interpreter.meter
            ) { item in
                .list(ListValue(try getters.map { try $0.get(item).folded(unless: isCaseSensitive) }))
            }
            return try interpreter.meter.list(items)
        },
        "dictsort": { value, arguments, interpreter in
            let bound = try arguments.bind("dictsort", ["case_sensitive", "by", "reverse"])
            let part = try bound[1]?.requireText("dictsort()").string ?? "key"
            guard part == "key" || part == "value" else {
                throw TemplateFailure("You can only sort by either \"key\" or \"value\"")
            }
            guard case .dict(let dict) = value else {
                if case .undefined(let undefined) = value { throw undefined.failure }
                throw TemplateFailure("'\(value.typeName)' object has no attribute 'items'")
            }
            let isCaseSensitive = bound[0]?.isTruthy ?? false
            let items = try sorted(
                dict.items(meter: interpreter.meter),
                isReversed: bound[2]?.isTruthy ?? false,
                interpreter.meter
            ) { item in
                try item.elements(meter: interpreter.meter)[part == "key" ? 0 : 1].folded(unless: isCaseSensitive)
            }
            return try interpreter.meter.list(items)
        },
        "groupby": { value, arguments, interpreter in
            let bound = try arguments.bind("groupby", ["attribute", "default", "case_sensitive"], required: 1)
            let fallback = bound[1].flatMap { $0.isNone ? nil : $0 }
            let getter = AttributeGetter(bound[0], interpreter, fallback: fallback)
            return try groups(
                of: try value.elements(meter: interpreter.meter),
                getter,
                bound[2]?.isTruthy ?? false,
                interpreter.meter
            )
        },
        "min": { try extreme("min", $0, $1, $2) { try $0.isLess(than: $1, meter: $2) } },
        "max": { try extreme("max", $0, $1, $2) { try $1.isLess(than: $0, meter: $2) } },
    ]

    /// Stable order by the keys that `key` computes.
    private static func sorted(
        _ items: [Value],
        isReversed: Bool,
        _ meter: Meter,
        by key: (Value) throws -> Value
    ) throws -> [Value] {
        var keyed = try items.map { (key: try key($0), item: $0) }
        try keyed.sort {
            isReversed ? try $1.key.isLess(than: $0.key, meter: meter) : try $0.key.isLess(than: $1.key, meter: meter)
        }
        return keyed.map(\.item)
    }

    private static func groups(
        of items: [Value],
        _ getter: AttributeGetter,
        _ isCaseSensitive: Bool,
        _ meter: Meter
    ) throws -> Value {
        func key(_ item: Value) throws -> Value { try getter.get(item).folded(unless: isCaseSensitive) }
        var groups: [(key: Value, items: [Value])] = []
        for item in try sorted(items, isReversed: false, meter, by: key) {
            let itemKey = try key(item)
            if let last = groups.last, try last.key.isEqual(to: itemKey, meter: meter) {
                groups[groups.count - 1].items.append(item)
            } else {
                groups.append((itemKey, [item]))
            }
        }
        return try meter.list(
            try groups.map { .object(GroupValue(try getter.get($0.items[0]), try meter.list($0.items))) }
        )
    }

    private static func extreme(
        _ name: String,
        _ value: Value,
        _ arguments: Arguments,
        _ interpreter: Interpreter,
        _ isBetter: (Value, Value, Meter) throws -> Bool
    ) throws -> Value {
        let bound = try arguments.bind(name, ["case_sensitive", "attribute"])
        let getter = AttributeGetter(bound[1], interpreter)
        let source = try value.iterator(meter: interpreter.meter)
        let isCaseSensitive = bound[0]?.isTruthy ?? false
        func key(_ item: Value) throws -> Value { try getter.get(item).folded(unless: isCaseSensitive) }
        guard var best = try source.next() else {
            return .undefined(Undefined(message: "No aggregated item, sequence was empty."))
        }
        var bestKey = try key(best)
        while let item = try source.next() {
            let itemKey = try key(item)
            if try isBetter(itemKey, bestKey, interpreter.meter) { (best, bestKey) = (item, itemKey) }
        }
        return best
    }
}

extension Value {
    /// The value as comparisons that ignore case see it.
    func folded(unless isCaseSensitive: Bool) -> Value {
        guard !isCaseSensitive, let text else { return self }
        return .string(text.lowercased())
    }
}
