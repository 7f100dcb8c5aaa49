/// Tags.
extension Parser {
    /// Statements up to one of the `ends` tags, whose name is then the current token; to the end of the source if
    /// there are none.
    mutating func statements(until ends: [String]) throws -> [Statement] {
        var body: [Statement] = []
        var output: [OutputPart] = []
        var outputLine = current.line
        func flush() {
            if !output.isEmpty { body.append(Statement(kind: .output(output), line: outputLine)) }
            output = []
        }
        while true {
            let line = current.line
            if output.isEmpty { outputLine = line }
            switch current.kind {
            case .data(let utf8):
                output.append(.text(utf8))
                try advance()
            case .variableBegin:
                try advance()
                output.append(.expression(try tupleExpression(), line: line))
                try expect(.variableEnd)
            case .blockBegin:
                flush()
                try advance()
                if case .name(let name) = current.kind, ends.contains(name) { return body }
                body += try nested { try $0.statement() }
                try expect(.blockEnd)
            case .end where ends.isEmpty:
                flush()
                return body
            default:
                let wanted = ends.map { "'\($0)'" }.joined(separator: " or ")
                let innermost = openTags.last.map { " The innermost block that needs to be closed is '\($0)'." } ?? ""
                throw failure(
                    "Unexpected end of template. Jinja was looking for the following tags: \(wanted).\(innermost)"
                )
            }
        }
    }

    /// The body of a tag whose arguments have been read, up to one of `ends`.
    mutating func body(until ends: String...) throws -> [Statement] {
        _ = try skip(.colon)
        try expect(.blockEnd)
        return try statements(until: ends)
    }

    /// A body in a scope of its own, its end tag included.
    private mutating func scopedBody(parameters: [String] = [], until end: String) throws -> ScopedBody {
        scopes.push(parameters: parameters)
        let wasConditional = isConditional
        isConditional = false
        let statements = try body(until: end)
        isConditional = wasConditional
        try advance()
        return ScopedBody(scope: scopes.pop(), statements: statements)
    }

    /// A body that sees nothing of the scopes around it, nor they of it; its end tag included.
    mutating func detachedBody(until end: String) throws -> ScopedBody {
        let around = scopes
        scopes = ScopeStack()
        defer { scopes = around }
        return try scopedBody(until: end)
    }

    private mutating func statement() throws -> [Statement] {
        let line = current.line
        guard case .name(let tag) = current.kind else { throw failure("tag name expected") }
        openTags.append(tag)
        try advance()
        let kind = try parse(tag: tag, line: line)
        openTags.removeLast()
        return kind.map { [Statement(kind: $0, line: line)] } ?? []
    }

    private mutating func parse(tag: String, line: Int) throws -> Statement.Kind? {
        switch tag {
        case "if": return try branch()
        case "for": return .loop(try loop())
        case "set": return try assignment()
        case "macro": return .macro(try macro())
        case "call": return try callBlock()
        case "filter":
            let filters = try filterBlockHead()
            return .filterBlock(filters, try scopedBody(until: "endfilter"))
        case "with": return try with()
        case "print": return try print(line: line)
        case "generation": return .generation(try functionBody { try $0.scopedBody(until: "endgeneration") })
        case "break", "continue":
            if loopDepth == 0 { throw failure("'\(tag)' outside loop", line: line) }
            return tag == "break" ? .breakLoop : .continueLoop
        case "block": return try block(line: line)
        case "extends", "include", "import", "from": return try loaderTag(tag)
        case "autoescape":
            throw failure("tag '\(tag)' is not supported in chat templates", line: line)
        default:
            openTags.removeLast()
            let innermost = openTags.last.map { " The innermost block that needs to be closed is '\($0)'." } ?? ""
            throw failure("Encountered unknown tag '\(tag)'.\(innermost)", line: line)
        }
    }

    /// Runs `body` as the inside of a macro, which loops outside of it cannot be left from.
    mutating func functionBody<Result>(_ body: (inout Parser) throws -> Result) rethrows -> Result {
        let outerLoops = loopDepth
        loopDepth = 0
        defer { loopDepth = outerLoops }
        return try body(&self)
    }

    private mutating func branch() throws -> Statement.Kind {
        let wasConditional = isConditional
        isConditional = true
        defer { isConditional = wasConditional }
        var branches: [(test: Expression, body: [Statement])] = []
        var otherwise: [Statement] = []
        while true {
            let test = try tupleExpression(withConditional: false)
            scopes.enterBranch()
            branches.append((test, try body(until: "elif", "else", "endif")))
            scopes.leaveBranch()
            if try skip(name: "elif") { continue }
            if try skip(name: "else") {
                scopes.enterBranch()
                otherwise = try body(until: "endif")
                scopes.leaveBranch()
            }
            try expect(name: "endif")
            return .branch(branches, otherwise: otherwise)
        }
    }

    private mutating func loop() throws -> Loop {
        let target = try target(allowsNamespace: false)
        if target.names.contains("loop") {
            throw failure("Can't assign to special loop variable in for-loop target")
        }
        try expect(name: "in")
        let iterable = try tupleExpression(withConditional: false, endingAt: "recursive")
        var filter: (scope: Scope, test: Expression)?
        if try skip(name: "if") {
            scopes.push(parameters: target.names)
            let test = try expression()
            filter = (scopes.pop(), test)
        }
        let isRecursive = try skip(name: "recursive")
        let wasConditional = isConditional
        isConditional = false
        defer { isConditional = wasConditional }
        scopes.push(parameters: ["loop"] + target.names)
        loopDepth += 1
        let statements = try body(until: "endfor", "else")
        loopDepth -= 1
        let loopBody = ScopedBody(scope: scopes.pop(), statements: statements)
        var otherwise: ScopedBody?
        if try advance().kind == .name("else") { otherwise = try scopedBody(until: "endfor") }
        return Loop(
            target: target,
            iterable: iterable,
            filter: filter,
            isRecursive: isRecursive,
            body: loopBody,
            otherwise: otherwise
        )
    }

    private mutating func assignment() throws -> Statement.Kind {
        let target = try target(allowsNamespace: true)
        for name in target.namespaces { scopes.load(name) }
        if try skip(.assign) {
            let value = try tupleExpression()
            for name in target.names { scopes.store(name) }
            return .set(target, value)
        }
        for name in target.names { scopes.store(name) }
        let filters = try filters()
        return .setBlock(target, filters: filters, try scopedBody(until: "endset"))
    }

    private mutating func macro() throws -> MacroDefinition {
        let name = try expectName()
        scopes.store(name)
        scopes.push()
        return try functionBody { try $0.definition(name: name, parameters: try $0.signature(), end: "endmacro") }
    }

    private mutating func callBlock() throws -> Statement.Kind {
        // The parameters come first in the source, but the call does not see them.
        scopes.push()
        let parameters = isAt(.leftParenthesis) ? try signature() : []
        let block = scopes.suspend()
        let call = try expression()
        guard case .chain(_, let suffixes) = call, case .call = suffixes.last?.kind else {
            throw failure("expected call")
        }
        scopes.resume(block)
        let definition = try functionBody { try $0.definition(name: nil, parameters: parameters, end: "endcall") }
        return .callBlock(call, definition)
    }

    private mutating func signature() throws -> [(name: String, defaultValue: Expression?)] {
        try expect(.leftParenthesis)
        var parameters: [(name: String, defaultValue: Expression?)] = []
        while !isAt(.rightParenthesis) {
            if !parameters.isEmpty { try expect(.comma) }
            let name = try expectName()
            scopes.declareParameter(name)
            if try skip(.assign) {
                parameters.append((name, try expression()))
            } else if parameters.last?.defaultValue != nil {
                throw failure("non-default argument follows default argument")
            } else {
                parameters.append((name, nil))
            }
        }
        try advance()
        return parameters
    }

    /// The body of a macro or call block, whose scope has been begun with its parameters.
    private mutating func definition(
        name: String?,
        parameters: [(name: String, defaultValue: Expression?)],
        end: String
    ) throws -> MacroDefinition {
        let wasConditional = isConditional
        isConditional = false
        defer { isConditional = wasConditional }
        let statements = try body(until: end)
        try advance()
        func uses(_ special: String, _ parser: inout Parser) -> Bool {
            guard parser.scopes.mentions(special), !parameters.contains(where: { $0.name == special }) else {
                return false
            }
            parser.scopes.declareParameter(special)
            return true
        }
        let callerParameter = parameters.first { $0.name == "caller" }
        if let callerParameter, callerParameter.defaultValue == nil, scopes.mentions("caller") {
            throw failure(
                "When defining macros or call blocks the special \"caller\" argument must be omitted or be given a"
                    + " default."
            )
        }
        let usesCaller = uses("caller", &self) || callerParameter != nil && scopes.mentions("caller")
        let (usesKeywords, usesVariadic) = (uses("kwargs", &self), uses("varargs", &self))
        return MacroDefinition(
            name: name,
            parameters: parameters,
            body: ScopedBody(scope: scopes.pop(), statements: statements),
            usesCaller: usesCaller,
            usesKeywords: usesKeywords,
            usesVariadic: usesVariadic
        )
    }

    private mutating func filterBlockHead() throws -> [Expression.Suffix] {
        let first = try filter(line: current.line)
        return [first] + (try filters())
    }

    private mutating func filters() throws -> [Expression.Suffix] {
        var filters: [Expression.Suffix] = []
        while isAt(.pipe) {
            try advance()
            filters.append(try filter(line: current.line))
        }
        return filters
    }

    private mutating func with() throws -> Statement.Kind {
        var bindings: [(target: Target, value: Expression)] = []
        while current.kind != .blockEnd {
            if !bindings.isEmpty { try expect(.comma) }
            let target = try target(allowsNamespace: false)
            try expect(.assign)
            bindings.append((target, try expression()))
        }
        return .with(bindings, try scopedBody(parameters: bindings.flatMap(\.target.names), until: "endwith"))
    }

    private mutating func print(line: Int) throws -> Statement.Kind {
        var parts: [OutputPart] = []
        while current.kind != .blockEnd {
            if !parts.isEmpty { try expect(.comma) }
            parts.append(.expression(try expression(), line: line))
        }
        return .output(parts)
    }

    /// One or more names, in parentheses or not, that are assigned to.
    private mutating func target(allowsNamespace: Bool) throws -> Target {
        var targets: [Target] = []
        while true {
            if !targets.isEmpty, current.kind == .blockEnd || isAt(.rightParenthesis) || isAt(name: "in") { break }
            targets.append(try primaryTarget(allowsNamespace: allowsNamespace))
            guard try skip(.comma) else {
                if targets.count == 1 { return targets[0] }
                break
            }
        }
        return .tuple(targets)
    }

    private mutating func primaryTarget(allowsNamespace: Bool) throws -> Target {
        if try skip(.leftParenthesis) {
            let inner = try nested { try $0.target(allowsNamespace: false) }
            try expect(.rightParenthesis)
            return inner
        }
        guard case .name(let name) = current.kind else { throw failure("can't assign to '\(current.description)'") }
        if ["true", "false", "none", "True", "False", "None"].contains(name) {
            throw failure("can't assign to 'const'")
        }
        try advance()
        if allowsNamespace, try skip(.dot) { return .attribute(of: name, try expectName()) }
        return .name(name)
    }
}
