/// Statements.
extension Interpreter {
    /// How a sequence of statements ended.
    enum Flow { case normal, breakLoop, continueLoop }

    func execute(_ statements: [Statement]) throws -> Flow {
        for statement in statements {
            line = statement.line
            let flow = try nested { try execute(statement.kind) }
            if flow != .normal { return flow }
        }
        return .normal
    }

    private func execute(_ statement: Statement.Kind) throws -> Flow {
        switch statement {
        case .output(let parts):
            try print(parts)
            return .normal
        case .branch(let branches, let otherwise):
            for (test, body) in branches where try evaluate(test).isTruthy { return try execute(body) }
            return try execute(otherwise)
        case .loop(let loop): return try run(loop)
        case .set(let target, let value):
            try checkNamespaces(of: target)
            try assign(try evaluate(value), to: target)
            return .normal
        case .setBlock(let target, let filters, let body):
            return try capture(body, filters) { try assign($0, to: target) }
        case .macro(let definition):
            if let name = definition.name { frame.set(name, try makeMacro(definition)) }
            return .normal
        case .callBlock(let call, let definition):
            let caller = try makeMacro(definition)
            try write(try evaluate(call, caller: caller).printed(meter: meter).utf8)
            return .normal
        case .filterBlock(let filters, let body):
            return try capture(body, filters) { try write(try $0.printed(meter: meter).utf8) }
        case .with(let bindings, let body): return try with(bindings, body)
        case .generation(let body): return try inFrame(body.scope) { _ in try execute(body.statements) }
        case .block(let body, let seesAround):
            return try inBlock(body.scope, seesAround: seesAround) { try execute(body.statements) }
        case .refused(let reason): throw TemplateFailure(reason)
        case .breakLoop: return .breakLoop
        case .continueLoop: return .continueLoop
        }
    }

    private func print(_ parts: [OutputPart]) throws {
        for part in parts {
            switch part {
            case .text(let utf8): try write(utf8)
            case .expression(let expression, let line):
                self.line = line
                try write(try evaluate(expression).printed(meter: meter).utf8)
            }
        }
    }

    /// Captures what `body` prints, applies `filters` inside its scope and hands the result to `use` outside of it.
    private func capture(
        _ body: ScopedBody,
        _ filters: [Expression.Suffix],
        _ use: (Value) throws -> Void
    ) throws -> Flow {
        var flow = Flow.normal
        let value = try inFrame(body.scope) { _ in
            var value = try capture { flow = try execute(body.statements) }
            if flow == .normal { for filter in filters { value = try apply(filter, to: value, caller: nil) } }
            return value
        }
        if flow == .normal { try use(value) }
        return flow
    }

    private func with(_ bindings: [(target: Target, value: Expression)], _ body: ScopedBody) throws -> Flow {
        let values = try bindings.map { try evaluate($0.value) }
        return try inFrame(body.scope) { _ in
            for (binding, value) in zip(bindings, values) { try assign(value, to: binding.target) }
            return try execute(body.statements)
        }
    }

    /// Attributes can be assigned on namespaces only; Jinja checks this before it evaluates the value.
    private func checkNamespaces(of target: Target) throws {
        for name in target.namespaces {
            guard case .object(let object) = frame[name], object is NamespaceValue else {
                throw TemplateFailure("cannot assign attribute on non-namespace object")
            }
        }
    }

    func assign(_ value: Value, to target: Target) throws {
        switch target {
        case .name(let name): frame.set(name, value)
        case .attribute(let name, let attribute):
            guard case .object(let object) = frame[name], let namespace = object as? NamespaceValue else {
                throw TemplateFailure("cannot assign attribute on non-namespace object")
            }
            try namespace.set(attribute, value)
        case .tuple(let targets):
            let values = try unpack(value, count: targets.count)
            for (target, value) in zip(targets, values) { try assign(value, to: target) }
        }
    }

    private func unpack(_ value: Value, count: Int) throws -> [Value] {
        guard let iterator = try value.iteratorIfIterable(meter: meter) else {
            throw TemplateFailure("cannot unpack non-iterable \(value.typeName) object")
        }
        var values: [Value] = []
        while let item = try iterator.next() {
            if values.count == count { throw TemplateFailure("too many values to unpack (expected \(count))") }
            values.append(item)
        }
        if values.count < count {
            throw TemplateFailure("not enough values to unpack (expected \(count), got \(values.count))")
        }
        return values
    }
}
