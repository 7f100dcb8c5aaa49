/// Tests: what follows `is`.
enum Tests {
    typealias Test = @Sendable (Value, Arguments, Interpreter) throws -> Bool

    static let table: [String: Test] = kinds.merging(comparisons) { $1 }.merging(properties) { $1 }

    private static let kinds: [String: Test] = [
        "defined": simple { !$0.isUndefined },
        "undefined": simple { $0.isUndefined },
        "none": simple { $0.isNone },
        "boolean": simple { if case .bool = $0 { true } else { false } },
        "true": simple { if case .bool(true) = $0 { true } else { false } },
        "false": simple { if case .bool(false) = $0 { true } else { false } },
        "integer": simple { if case .int = $0 { true } else { false } },
        "float": simple { if case .float = $0 { true } else { false } },
        "number": simple { $0.number != nil },
        "string": simple { $0.text != nil },
        "escaped": simple { $0.text?.isMarkup ?? false },
        "mapping": simple { if case .dict = $0 { true } else { false } },
        "sequence": simple { value in
            switch value {
            case .string, .list, .tuple, .dict, .undefined: true
            case .object(let object): object is RangeValue || object is GroupValue
            default: false
            }
        },
        "iterable": { value, arguments, interpreter in
            _ = try arguments.exactly("iterable", 0...0)
            if case .object(let object) = value, object is LoopValue { return true }
            return try value.iteratorIfIterable(meter: interpreter.meter) != nil
        },
        "callable": simple { value in
            switch value {
            case .undefined: true
            case .object(let object): object.isCallable
            default: false
            }
        },
    ]

    private static func simple(_ test: @escaping @Sendable (Value) -> Bool) -> Test {
        { value, arguments, _ in
            if !arguments.isEmpty { throw TemplateFailure("the test takes no arguments") }
            return test(value)
        }
    }

    private static let comparisons: [String: Test] = {
        var table: [String: Test] = [
            "eq": { try equals($0, $1, $2) },
            "ne": { try !equals($0, $1, $2) },
            "lt": ordered("<") { $0 == .less },
            "le": ordered("<=") { $0 == .less || $0 == .equal },
            "gt": ordered(">") { $0 == .greater },
            "ge": ordered(">=") { $0 == .greater || $0 == .equal },
        ]
        let aliases = [
            "==": "eq", "equalto": "eq", "!=": "ne", "<": "lt", "lessthan": "lt", "<=": "le", ">": "gt",
            "greaterthan": "gt", ">=": "ge",
        ]
        for (alias, name) in aliases { table[alias] = table[name] }
        return table
    }()

    private static func equals(_ value: Value, _ arguments: Arguments, _ interpreter: Interpreter) throws -> Bool {
        try value.isEqual(to: try arguments.exactly("eq", 1...1)[0], meter: interpreter.meter)
    }

    private static func ordered(_ symbol: String, _ holds: @escaping @Sendable (Value.Order) -> Bool) -> Test {
        { value, arguments, interpreter in
            let other = try arguments.exactly(symbol, 1...1)[0]
            return holds(try value.order(against: other, symbol: symbol, meter: interpreter.meter))
        }
    }

    private static let properties: [String: Test] = [
        "odd": { value, _, interpreter in try isRemainder(value, 2, 1, interpreter) },
        "even": { value, _, interpreter in try isRemainder(value, 2, 0, interpreter) },
        "divisibleby": { value, arguments, interpreter in
            let divisor = try arguments.bind("divisibleby", ["num"], required: 1)[0] ?? .none
            let remainder = try Value.apply(.remainder, value, divisor, meter: interpreter.meter)
            return try remainder.isEqual(to: .int(0), meter: interpreter.meter)
        },
        "in": { value, arguments, interpreter in
            try arguments.exactly("in", 1...1)[0].contains(value, meter: interpreter.meter)
        },
        "sameas": { value, arguments, interpreter in
            try isSame(value, try arguments.exactly("sameas", 1...1)[0], meter: interpreter.meter)
        },
        "lower": { value, _, interpreter in
            try StringMethods.ask("islower", try value.printed(meter: interpreter.meter), interpreter)
        },
        "upper": { value, _, interpreter in
            try StringMethods.ask("isupper", try value.printed(meter: interpreter.meter), interpreter)
        },
        "filter": simple { $0.text.map { Filters.table[$0.string] != nil } ?? false },
        "test": simple { $0.text.map { Tests.table[$0.string] != nil } ?? false },
    ]

    private static func isRemainder(
        _ value: Value,
        _ divisor: Int,
        _ remainder: Int,
        _ interpreter: Interpreter
    ) throws -> Bool {
        try Value.apply(.remainder, value, .int(divisor), meter: interpreter.meter)
            .isEqual(to: .int(remainder), meter: interpreter.meter)
    }

    /// Python's `is`: the same type and value for scalars, the same object for what has an identity.
    private static func isSame(_ left: Value, _ right: Value, meter: Meter) throws -> Bool {
        switch (left, right) {
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)): left === right
        case (.dict(let left), .dict(let right)): left === right
        case (.undefined(let left), .undefined(let right)): left === right
        default: left.typeName == right.typeName ? try left.isEqual(to: right, meter: meter) : false
        }
    }
}

extension StringMethods {
    /// The answer of a method such as `islower`.
    static func ask(_ name: String, _ text: Text, _ interpreter: Interpreter) throws -> Bool {
        guard let method = table[name] else { return false }
        return try interpreter.call(method.bound(to: text, name, depth: 0), Arguments()).isTruthy
    }
}
