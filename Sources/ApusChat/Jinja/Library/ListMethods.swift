/// Methods of lists and tuples.
enum ListMethods {
    /// What the sandbox forbids on lists.
    static let mutating: Set<String> = ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"]

    static let table: [String: Method<ListValue>] = [
        "count": Method { list, arguments, interpreter in
            let wanted = try arguments.exactly("count", 1...1)[0]
            return .int(try list.items.count { try $0.isEqual(to: wanted, meter: interpreter.meter) })
        },
        "index": Method { list, arguments, interpreter in
            let values = try arguments.exactly("index", 1...3)
            let bounds = try values.dropFirst().map { .int(try $0.requireInteger()) } + [Value.none, .none]
            let range = try SliceRange(bounds[0], bounds[1], .none, count: list.items.count)
            for index in range.indices
            where try list.items[index].isEqual(to: values[0], meter: interpreter.meter) {
                return .int(index)
            }
            throw TemplateFailure("value is not in list")
        },
        "copy": Method { list, arguments, _ in
            _ = try arguments.exactly("copy", 0...0)
            return .list(list)
        },
    ]
}

/// Methods of dicts.
enum DictMethods {
    /// What the sandbox forbids on dicts.
    static let mutating: Set<String> = ["clear", "pop", "popitem", "setdefault", "update"]

    static let table: [String: Method<DictValue>] = [
        "get": Method { dict, arguments, interpreter in
            let values = try arguments.exactly("get", 1...2)
            let key = try DictKey(values[0], meter: interpreter.meter)
            return dict.value(for: key) ?? (values.count > 1 ? values[1] : .none)
        },
        "keys": view(.keys),
        "values": view(.values),
        "items": view(.items),
        "copy": Method { dict, arguments, _ in
            _ = try arguments.exactly("copy", 0...0)
            return .dict(dict)
        },
    ]

    private static func view(_ part: DictView.Part) -> Method<DictValue> {
        Method { dict, arguments, _ in
            _ = try arguments.exactly(part.rawValue, 0...0)
            return .object(DictView(dict, part))
        }
    }
}

/// Attributes and methods of numbers.
enum NumberMethods {
    static func attribute(_ name: String, of value: Value) -> Value? {
        if let integer = value.integer {
            switch name {
            case "real", "numerator": return .int(integer)
            case "imag": return .int(0)
            case "denominator": return .int(1)
            case "bit_length":
                let bits = Int.bitWidth - integer.magnitude.leadingZeroBitCount
                return method("bit_length") { .int(bits) }
            default: return nil
            }
        }
        guard case .float(let number) = value else { return nil }
        switch name {
        case "real": return value
        case "imag": return .float(0)
        case "is_integer": return method("is_integer") { .bool(number.isFinite && number.rounded() == number) }
        default: return nil
        }
    }

    private static func method(_ name: String, _ body: @escaping () -> Value) -> Value {
        .object(
            Function(name) { arguments, _ in
                _ = try arguments.exactly(name, 0...0)
                return body()
            }
        )
    }
}
