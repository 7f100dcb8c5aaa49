/// The functions that every template can call.
enum Globals {
    static func table() -> [String: Value] {
        [
            "range": function("range", range),
            "dict": function("dict", dict),
            "namespace": function("namespace", namespace),
            "cycler": function("cycler", cycler),
            "joiner": function("joiner", joiner),
            "raise_exception": function("raise_exception") { arguments, interpreter in
                let message = try arguments.bind("raise_exception", ["message"], required: 1)[0] ?? .none
                throw TemplateFailure(try message.printed(meter: interpreter.meter).string)
            },
            "strftime_now": function("strftime_now") { arguments, interpreter in
                let format = try arguments.bind("strftime_now", ["format"], required: 1)[0] ?? .none
                guard let now = interpreter.now else {
                    throw TemplateFailure("strftime_now needs the current time, and none was given")
                }
                let text = try format.requireText("strftime()")
                return try interpreter.meter.text(try now.formatted(text, meter: interpreter.meter))
            },
        ]
    }

    private static func function(_ name: String, _ body: @escaping Function.Body) -> Value {
        .object(Function(name, body))
    }

    private static func range(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        let bounds = try arguments.exactly("range", 1...3).map { try $0.requireInteger() }
        let (start, stop) = bounds.count == 1 ? (0, bounds[0]) : (bounds[0], bounds[1])
        return .object(try RangeValue(start: start, stop: stop, step: bounds.count > 2 ? bounds[2] : 1))
    }

    private static func dict(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        .dict(try makeDict("dict", arguments, interpreter))
    }

    /// A dict from a mapping or pairs, and keywords.
    private static func makeDict(
        _ name: String,
        _ arguments: Arguments,
        _ interpreter: Interpreter
    ) throws -> DictValue {
        let meter = interpreter.meter
        if arguments.positional.count > 1 {
            throw TemplateFailure("\(name) expected at most 1 argument, got \(arguments.positional.count)")
        }
        var pairs: [(Value, Value)] = []
        if case .dict(let dict)? = arguments.positional.first {
            pairs = Array(zip(dict.keys, dict.values))
        } else if let source = arguments.positional.first {
            for item in try source.elements(meter: meter) {
                let pair = try item.elements(meter: meter)
                guard pair.count == 2 else {
                    throw TemplateFailure("\(name) update sequence element has length \(pair.count); 2 is required")
                }
                pairs.append((pair[0], pair[1]))
            }
        }
        pairs += arguments.keyword.map { (.string(Text($0.name)), $0.value) }
        return try DictValue(pairs, meter: meter)
    }

    private static func namespace(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        let attributes = try makeDict("namespace", arguments, interpreter)
        for key in attributes.keys { if let name = key.text { try NamespaceValue.check(name.string) } }
        return .object(try interpreter.makeNamespace(attributes))
    }

    private static func cycler(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        if arguments.positional.isEmpty { throw TemplateFailure("at least one item has to be provided") }
        return .object(Cycler(try ListValue(arguments.positional, meter: interpreter.meter)))
    }

    private static func joiner(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        let separator = try arguments.bind("joiner", ["sep"])[0] ?? .string(", ")
        var isUsed = false
        return .object(
            Function("joiner", depth: separator.depth + 1) { _, _ in
                defer { isUsed = true }
                return isUsed ? separator : .string("")
            }
        )
    }
}

/// Cycles through values, one at each call of `next`.
final class Cycler: TemplateObject {
    let typeName = "Cycler"
    private let list: ListValue
    private var position = 0

    init(_ list: ListValue) { self.list = list }

    var depth: Int { list.depth + 1 }

    func attribute(_ name: String, _ interpreter: Interpreter) throws -> Value? {
        switch name {
        case "current": list.items[position]
        case "items": .tuple(list)
        case "pos": .int(position)
        case "next":
            .object(
                Function("next", depth: depth) { [self] _, _ in
                    defer { position = (position + 1) % list.items.count }
                    return list.items[position]
                }
            )
        case "reset":
            .object(
                Function("reset", depth: depth) { [self] _, _ in
                    position = 0
                    return .none
                }
            )
        default: nil
        }
    }
}
