/// Expressions.
extension Interpreter {
    /// - Parameter caller: the body of a call block, passed to the expression's last call.
    func evaluate(_ expression: Expression, caller: Value? = nil) throws -> Value {
        try meter.step()
        switch expression {
        case .constant(let constant): return Interpreter.value(of: constant)
        case .name(let name): return frame[name] ?? .undefined(Undefined(name: name))
        default: return try nested { try evaluateCompound(expression, caller: caller) }
        }
    }

    private static func value(of constant: Expression.Constant) -> Value {
        switch constant {
        case .none: .none
        case .bool(let value): .bool(value)
        case .int(let value): .int(value)
        case .float(let value): .float(value)
        case .string(let utf8): .string(Text(utf8: utf8))
        }
    }

    private func evaluateCompound(_ expression: Expression, caller: Value?) throws -> Value {
        switch expression {
        case .constant, .name: return try evaluate(expression)
        case .list(let items): return try meter.list(try items.map { try evaluate($0) })
        case .tuple(let items): return try meter.tuple(try items.map { try evaluate($0) })
        case .dict(let pairs):
            return .dict(
                try DictValue(try pairs.map { (try evaluate($0.key), try evaluate($0.value)) }, meter: meter)
            )
        case .not(let operand): return .bool(try !evaluate(operand).isTruthy)
        case .negative(let operand): return try evaluate(operand).negated()
        case .positive(let operand): return try evaluate(operand).posited()
        case .or(let operands): return try logical(operands, stopsAt: true)
        case .and(let operands): return try logical(operands, stopsAt: false)
        case .compare(let first, let rest): return try compare(first, rest)
        case .arithmetic(let first, let rest):
            return try rest.reduce(try evaluate(first)) {
                try Value.apply($1.0, $0, try evaluate($1.1), meter: meter)
            }
        case .concatenation(let operands): return try concatenate(operands)
        case .chain(let base, let suffixes): return try chain(base, suffixes, caller)
        case .conditional(let value, let tests, let otherwise): return try conditional(value, tests, otherwise)
        }
    }

    /// The first operand whose truth is `stopsAt`, or the last one.
    private func logical(_ operands: [Expression], stopsAt: Bool) throws -> Value {
        var value = Value.none
        for operand in operands {
            value = try evaluate(operand)
            if value.isTruthy == stopsAt { break }
        }
        return value
    }

    private func compare(_ first: Expression, _ rest: [(Expression.Comparison, Expression)]) throws -> Value {
        var left = try evaluate(first)
        for (comparison, operand) in rest {
            let right = try evaluate(operand)
            if try !holds(comparison, left, right) { return .bool(false) }
            left = right
        }
        return .bool(true)
    }

    private func holds(_ comparison: Expression.Comparison, _ left: Value, _ right: Value) throws -> Bool {
        switch comparison {
        case .equal: return try left.isEqual(to: right, meter: meter)
        case .notEqual: return try !left.isEqual(to: right, meter: meter)
        case .isIn: return try right.contains(left, meter: meter)
        case .notIn: return try !right.contains(left, meter: meter)
        default: break
        }
        let order = try left.order(against: right, symbol: comparison.rawValue, meter: meter)
        return switch comparison {
        case .less: order == .less
        case .lessOrEqual: order == .less || order == .equal
        case .greater: order == .greater
        default: order == .greater || order == .equal
        }
    }

    private func concatenate(_ operands: [Expression]) throws -> Value {
        var result: [UInt8] = []
        for operand in operands {
            result += try evaluate(operand).printed(meter: meter).utf8
            try meter.check(bytes: result.count)
        }
        return try meter.text(result)
    }

    private func conditional(_ value: Expression, _ tests: [Expression], _ otherwise: Expression?) throws -> Value {
        for (index, test) in tests.enumerated().reversed() where try !evaluate(test).isTruthy {
            if index == tests.count - 1, let otherwise { return try evaluate(otherwise) }
            return .undefined(
                Undefined(
                    message: "the inline if-expression on line \(line) evaluated to false and no else section was"
                        + " defined."
                )
            )
        }
        return try evaluate(value)
    }

    private func chain(_ base: Expression, _ suffixes: [Expression.Suffix], _ caller: Value?) throws -> Value {
        var value = try evaluate(base)
        for (index, suffix) in suffixes.enumerated() {
            value = try apply(suffix, to: value, caller: index == suffixes.count - 1 ? caller : nil)
        }
        return value
    }

    func apply(_ suffix: Expression.Suffix, to value: Value, caller: Value?) throws -> Value {
        try meter.step()
        switch suffix.kind {
        case .attribute(let name): return try attribute(Text(name), of: value)
        case .item(let key): return try item(try evaluate(key), of: value)
        case .slice(let start, let stop, let step):
            return try slice(value, try bound(start), try bound(stop), try bound(step))
        case .call(let call):
            var arguments = try evaluate(call)
            if let caller { arguments.keyword.append(("caller", caller)) }
            line = suffix.line
            let result = try self.call(value, arguments)
            line = suffix.line
            return result
        case .filter(let name, let call):
            guard let filter = Filters.table[name] else { throw TemplateFailure("No filter named '\(name)' found.") }
            return try filter(value, try evaluate(call), self)
        case .test(let name, let call, let isNegated):
            guard let test = Tests.table[name] else { throw TemplateFailure("No test named '\(name)' found.") }
            return .bool(try test(value, try evaluate(call), self) != isNegated)
        }
    }

    private func bound(_ expression: Expression?) throws -> Value { try expression.map { try evaluate($0) } ?? .none }

    private func evaluate(_ call: Expression.CallArguments) throws -> Arguments {
        var arguments = Arguments(positional: try call.positional.map { try evaluate($0) })
        for (name, value) in call.keyword { arguments.keyword.append((name, try evaluate(value))) }
        if let variadic = call.variadic { arguments.positional += try evaluate(variadic).elements(meter: meter) }
        if let variadic = call.keywordVariadic {
            guard case .dict(let dict) = try evaluate(variadic) else {
                throw TemplateFailure("argument after ** must be a mapping")
            }
            for (key, value) in zip(dict.keys, dict.values) {
                guard let name = key.text?.string else { throw TemplateFailure("keywords must be strings") }
                if arguments.keyword.contains(where: { $0.name == name }) {
                    throw TemplateFailure("got multiple values for keyword argument '\(name)'")
                }
                arguments.keyword.append((name, value))
            }
        }
        return arguments
    }

    func call(_ value: Value, _ arguments: Arguments) throws -> Value {
        switch value {
        case .undefined(let undefined): throw undefined.failure
        case .object(let object): return try nested { try object.call(arguments, self) }
        default: throw TemplateFailure("'\(value.typeName)' object is not callable")
        }
    }
}
