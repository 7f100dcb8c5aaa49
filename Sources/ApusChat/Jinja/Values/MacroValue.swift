/// A macro with the frame it was defined in.
final class MacroValue: TemplateObject {
    let typeName = "Macro"
    private let definition: MacroDefinition
    private let frame: Frame

    init(_ definition: MacroDefinition, frame: Frame) {
        self.definition = definition
        self.frame = frame
    }

    var isCallable: Bool { true }

    func representation(meter: Meter) -> String {
        definition.name.map { "<Macro \(Text($0).quoted)>" } ?? "<Macro anonymous>"
    }

    func attribute(_ name: String, _ interpreter: Interpreter) throws -> Value? {
        switch name {
        case "name": definition.name.map { .string(Text($0)) } ?? Value.none
        case "arguments": try interpreter.meter.tuple(definition.parameters.map { .string(Text($0.name)) })
        case "catch_kwargs": .bool(definition.usesKeywords)
        case "catch_varargs": .bool(definition.usesVariadic)
        case "caller": .bool(definition.usesCaller)
        default: nil
        }
    }

    func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        try interpreter.inFrame(definition.body.scope, parent: frame) { inner in
            try bind(arguments, in: inner, interpreter)
            for (name, defaultValue) in definition.parameters where inner.isMissing(name) {
                let value = try defaultValue.map { try interpreter.evaluate($0) }
                inner.set(name, value ?? .undefined(Undefined(message: "parameter '\(name)' was not provided")))
            }
            return try interpreter.capture { _ = try interpreter.execute(definition.body.statements) }
        }
    }

    private func bind(_ arguments: Arguments, in inner: Frame, _ interpreter: Interpreter) throws {
        let parameters = definition.parameters
        for (parameter, value) in zip(parameters, arguments.positional) { inner.set(parameter.name, value) }
        var keyword = arguments.keyword
        func take(_ name: String) -> Value? {
            guard let index = keyword.firstIndex(where: { $0.name == name }) else { return nil }
            return keyword.remove(at: index).value
        }
        for (name, _) in parameters.dropFirst(arguments.positional.count) {
            if let value = take(name) { inner.set(name, value) }
        }
        if definition.usesCaller, !parameters.contains(where: { $0.name == "caller" }) {
            inner.set("caller", take("caller") ?? .undefined(Undefined(message: "No caller defined")))
        }
        let meter = interpreter.meter
        let name = definition.name.map { Text($0).quoted } ?? "None"
        if definition.usesKeywords {
            let pairs = keyword.map { (Value.string(Text($0.name)), $0.value) }
            inner.set("kwargs", .dict(try DictValue(pairs, meter: meter)))
        } else if let (unknown, _) = keyword.first {
            throw TemplateFailure("macro \(name) takes no keyword argument '\(unknown)'")
        }
        if definition.usesVariadic {
            inner.set("varargs", try meter.tuple(Array(arguments.positional.dropFirst(parameters.count))))
        } else if arguments.positional.count > parameters.count {
            throw TemplateFailure("macro \(name) takes not more than \(parameters.count) argument(s)")
        }
    }
}
