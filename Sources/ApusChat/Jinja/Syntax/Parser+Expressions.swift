/// Expressions, from the loosest operator to the tightest.
extension Parser {
    mutating func expression() throws -> Expression { try nested { try $0.conditional() } }

    /// An expression, or several separated by commas, which make a tuple.
    mutating func tupleExpression(withConditional: Bool = true, endingAt end: String? = nil) throws -> Expression {
        try nested {
            try $0.tuple(allowsEmpty: false) { parser in
                withConditional ? try parser.conditional() : try parser.disjunction()
            } isEnd: { parser in
                end.map { parser.isAt(name: $0) } ?? false
            }
        }
    }

    private mutating func tuple(
        allowsEmpty: Bool,
        _ element: (inout Parser) throws -> Expression,
        isEnd: (Parser) -> Bool = { _ in false }
    ) throws -> Expression {
        var elements: [Expression] = []
        var isTuple = false
        while true {
            if current.kind == .variableEnd || current.kind == .blockEnd || isAt(.rightParenthesis) || isEnd(self) {
                break
            }
            elements.append(try element(&self))
            guard try skip(.comma) else { break }
            isTuple = true
        }
        if isTuple || elements.isEmpty && allowsEmpty { return .tuple(elements) }
        guard let single = elements.first else { throw unexpected("an expression") }
        return single
    }

    private mutating func conditional() throws -> Expression {
        let unknownBefore = unknownNames.count
        let value = try disjunction()
        var result = value
        while isAt(name: "if") {
            var tests: [Expression] = []
            var otherwise: Expression?
            while otherwise == nil, try skip(name: "if") {
                tests.append(try disjunction())
                if try skip(name: "else") { otherwise = try nested { try $0.conditional() } }
            }
            result = .conditional(value, tests: tests, otherwise: otherwise)
            unknownNames.removeSubrange(unknownBefore...)
        }
        return result
    }

    private mutating func disjunction() throws -> Expression {
        var operands = [try conjunction()]
        while try skip(name: "or") { operands.append(try conjunction()) }
        return operands.count == 1 ? operands[0] : .or(operands)
    }

    private mutating func conjunction() throws -> Expression {
        var operands = [try negation()]
        while try skip(name: "and") { operands.append(try negation()) }
        return operands.count == 1 ? operands[0] : .and(operands)
    }

    private mutating func negation() throws -> Expression {
        guard try skip(name: "not") else { return try comparison() }
        return .not(try nested { try $0.negation() })
    }

    private mutating func comparison() throws -> Expression {
        let first = try sum()
        var rest: [(Expression.Comparison, Expression)] = []
        while let comparison = try comparisonOperator() { rest.append((comparison, try sum())) }
        return rest.isEmpty ? first : .compare(first, rest)
    }

    private mutating func comparisonOperator() throws -> Expression.Comparison? {
        switch current.kind {
        case .symbol(let symbol):
            guard let comparison = Expression.Comparison(rawValue: symbol.rawValue) else { return nil }
            try advance()
            return comparison
        case .name("in"):
            try advance()
            return .isIn
        case .name("not"):
            guard try peek().kind == .name("in") else { return nil }
            try advance()
            try advance()
            return .notIn
        default: return nil
        }
    }

    private mutating func arithmetic(
        _ operators: [Token.Symbol: ArithmeticOperator],
        _ operand: (inout Parser) throws -> Expression
    ) throws -> Expression {
        let first = try operand(&self)
        var rest: [(ArithmeticOperator, Expression)] = []
        while case .symbol(let symbol) = current.kind, let operation = operators[symbol] {
            try advance()
            rest.append((operation, try operand(&self)))
        }
        return rest.isEmpty ? first : .arithmetic(first, rest)
    }

    private mutating func sum() throws -> Expression {
        try arithmetic([.add: .add, .subtract: .subtract]) { try $0.concatenation() }
    }

    private mutating func concatenation() throws -> Expression {
        var operands = [try product()]
        while try skip(.tilde) { operands.append(try product()) }
        return operands.count == 1 ? operands[0] : .concatenation(operands)
    }

    private mutating func product() throws -> Expression {
        try arithmetic([
            .multiply: .multiply, .divide: .divide, .floorDivide: .floorDivide, .remainder: .remainder,
        ]) { parser in
            try parser.arithmetic([.power: .power]) { try $0.unary() }
        }
    }

    private mutating func unary(withFilters: Bool = true) throws -> Expression {
        var value: Expression
        if try skip(.subtract) {
            value = .negative(try nested { try $0.unary(withFilters: false) })
        } else if try skip(.add) {
            value = .positive(try nested { try $0.unary(withFilters: false) })
        } else {
            value = try primary()
        }
        var suffixes: [Expression.Suffix] = []
        while let suffix = try postfix() { suffixes.append(suffix) }
        if withFilters {
            while let suffix = try filterOrTest() { suffixes.append(suffix) }
        }
        if !suffixes.isEmpty { value = .chain(value, suffixes) }
        return value
    }

    private mutating func primary() throws -> Expression {
        let token = current
        switch token.kind {
        case .name(let name):
            try advance()
            switch name {
            case "true", "True": return .constant(.bool(true))
            case "false", "False": return .constant(.bool(false))
            case "none", "None": return .constant(.none)
            default:
                scopes.load(name)
                return .name(name)
            }
        case .string(var utf8):
            try advance()
            while case .string(let more) = current.kind {
                utf8 += more
                try advance()
            }
            return .constant(.string(utf8))
        case .integer(let value):
            try advance()
            return .constant(.int(value))
        case .float(let value):
            try advance()
            return .constant(.float(value))
        case .symbol(.leftParenthesis):
            try advance()
            let inner = try nested { parser in
                try parser.tuple(allowsEmpty: true) { try $0.conditional() }
            }
            try expect(.rightParenthesis)
            return inner
        case .symbol(.leftBracket): return .list(try elements(until: .rightBracket) { try $0.expression() })
        case .symbol(.leftBrace):
            return .dict(
                try elements(until: .rightBrace) { parser in
                    let key = try parser.expression()
                    try parser.expect(.colon)
                    return (key, try parser.expression())
                }
            )
        default: throw failure("unexpected '\(token.description)'")
        }
    }

    /// Elements separated by commas, from the current bracket to `end`.
    private mutating func elements<Element>(
        until end: Token.Symbol,
        _ element: (inout Parser) throws -> Element
    ) throws -> [Element] {
        try advance()
        var elements: [Element] = []
        while !isAt(end) {
            if !elements.isEmpty {
                try expect(.comma)
                if isAt(end) { break }
            }
            elements.append(try element(&self))
        }
        try advance()
        return elements
    }
}

/// What follows a value.
extension Parser {
    private mutating func postfix() throws -> Expression.Suffix? {
        let line = current.line
        if isAt(.leftParenthesis) { return .init(kind: .call(try callArguments()), line: line) }
        if try skip(.dot) {
            switch try advance().kind {
            case .name(let name): return .init(kind: .attribute(name), line: line)
            case .integer(let index): return .init(kind: .item(.constant(.int(index))), line: line)
            default: throw failure("expected name or number", line: line)
            }
        }
        guard isAt(.leftBracket) else { return nil }
        let subscripts = try elements(until: .rightBracket) { try $0.subscripted() }
        if subscripts.count == 1 { return .init(kind: subscripts[0], line: line) }
        let items = try subscripts.map { kind in
            guard case .item(let item) = kind else {
                throw failure("a slice among several subscripts is not supported", line: line)
            }
            return item
        }
        return .init(kind: .item(.tuple(items)), line: line)
    }

    private mutating func subscripted() throws -> Expression.Suffix.Kind {
        func bound(_ parser: inout Parser) throws -> Expression? {
            if parser.isAt(.colon) || parser.isAt(.rightBracket) || parser.isAt(.comma) { return nil }
            return try parser.expression()
        }
        let start = try isAt(.colon) ? nil : expression()
        guard try skip(.colon) else {
            guard let start else { throw unexpected("an expression") }
            return .item(start)
        }
        let stop = try bound(&self)
        let step = try skip(.colon) ? try bound(&self) : nil
        return .slice(start: start, stop: stop, step: step)
    }

    private mutating func filterOrTest() throws -> Expression.Suffix? {
        let line = current.line
        if try skip(.pipe) { return try filter(line: line) }
        if try skip(name: "is") { return try test(line: line) }
        if isAt(.leftParenthesis) { return .init(kind: .call(try callArguments()), line: line) }
        return nil
    }

    mutating func filter(line: Int) throws -> Expression.Suffix {
        let name = try dottedName()
        let arguments = isAt(.leftParenthesis) ? try callArguments() : Expression.CallArguments()
        if Filters.table[name] == nil, !isConditional {
            unknownNames.append(failure("No filter named '\(name)'.", line: line))
        }
        return .init(kind: .filter(name, arguments), line: line)
    }

    private mutating func test(line: Int) throws -> Expression.Suffix {
        let isNegated = try skip(name: "not")
        let name = try dottedName()
        var arguments = Expression.CallArguments()
        if isAt(.leftParenthesis) {
            arguments = try callArguments()
        } else if try startsTestArgument() {
            arguments.positional = [
                try nested { parser in
                    let value = try parser.primary()
                    var suffixes: [Expression.Suffix] = []
                    while let suffix = try parser.postfix() { suffixes.append(suffix) }
                    return suffixes.isEmpty ? value : .chain(value, suffixes)
                }
            ]
        }
        if Tests.table[name] == nil, !isConditional {
            unknownNames.append(failure("No test named '\(name)'.", line: line))
        }
        return .init(kind: .test(name, arguments, isNegated: isNegated), line: line)
    }

    /// Whether the current token begins an argument without parentheses, as in `x is divisibleby 3`.
    private func startsTestArgument() throws -> Bool {
        switch current.kind {
        case .name("is"): throw failure("You cannot chain multiple tests with is")
        case .name("else"), .name("or"), .name("and"): false
        case .name, .string, .integer, .float, .symbol(.leftBracket), .symbol(.leftBrace): true
        default: false
        }
    }

    private mutating func dottedName() throws -> String {
        var name = try expectName()
        while try skip(.dot) { name += "." + (try expectName()) }
        return name
    }

    private mutating func callArguments() throws -> Expression.CallArguments {
        let line = current.line
        try advance()
        var arguments = Expression.CallArguments()
        var isFirst = true
        func require(_ condition: Bool) throws {
            if !condition { throw failure("invalid syntax for function call expression", line: line) }
        }
        while !isAt(.rightParenthesis) {
            if !isFirst {
                try expect(.comma)
                if isAt(.rightParenthesis) { break }
            }
            isFirst = false
            if try skip(.multiply) {
                try require(arguments.variadic == nil && arguments.keywordVariadic == nil)
                arguments.variadic = try expression()
            } else if try skip(.power) {
                try require(arguments.keywordVariadic == nil)
                arguments.keywordVariadic = try expression()
            } else if case .name(let name) = current.kind, try peek().kind == .symbol(.assign) {
                try require(arguments.keywordVariadic == nil)
                try advance()
                try advance()
                arguments.keyword.append((name, try expression()))
            } else {
                try require(
                    arguments.variadic == nil && arguments.keywordVariadic == nil && arguments.keyword.isEmpty
                )
                arguments.positional.append(try expression())
            }
        }
        try advance()
        return arguments
    }
}
