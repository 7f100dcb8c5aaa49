/// Parses template source into statements, by recursive descent with a bounded depth.
struct Parser {
    private var lexer: Lexer
    private(set) var current: Token
    private var lookahead: Token?
    private var depth = 0
    /// Where and why parsing failed first, kept until the whole template has been read where Jinja does so.
    var scopes = ScopeStack()
    var openTags: [String] = []
    /// Loops around the current statement within the current macro, which `break` may leave.
    var loopDepth = 0
    var blockNames: Set<String> = []
    /// Whether an unknown filter or test fails only when it is reached: Jinja allows it under a condition.
    var isConditional = false
    var unknownNames: [TemplateFailure] = []

    /// A parsed template.
    static func parse(_ source: String) throws -> ScopedBody {
        if source.utf8.count > RenderLimits.sourceBytes {
            throw TemplateFailure(
                "template has \(source.utf8.count) bytes, at most \(RenderLimits.sourceBytes) are read"
            )
        }
        var parser = try Parser(Lexer(source))
        parser.scopes.push()
        let statements = try parser.statements(until: [])
        if let failure = parser.unknownNames.first { throw failure }
        return ScopedBody(scope: parser.scopes.pop(), statements: statements)
    }

    private init(_ lexer: Lexer) throws {
        self.lexer = lexer
        current = Token(kind: .end, line: 1)
        current = try self.lexer.next()
    }

    func failure(_ message: String, line: Int? = nil) -> TemplateFailure {
        TemplateFailure(message, line: line ?? current.line)
    }

    /// Runs `body` one level deeper; source nested too deep is an error.
    mutating func nested<Result>(_ body: (inout Parser) throws -> Result) throws -> Result {
        depth += 1
        if depth > RenderLimits.syntaxDepth {
            throw failure("template is nested more than \(RenderLimits.syntaxDepth) deep")
        }
        let result = try body(&self)
        depth -= 1
        return result
    }
}

/// The token stream.
extension Parser {
    @discardableResult
    mutating func advance() throws -> Token {
        let token = current
        if let next = lookahead {
            current = next
            lookahead = nil
        } else {
            current = try lexer.next()
        }
        return token
    }

    mutating func peek() throws -> Token {
        if let lookahead { return lookahead }
        let token = try lexer.next()
        lookahead = token
        return token
    }

    func isAt(_ symbol: Token.Symbol) -> Bool { current.kind == .symbol(symbol) }
    func isAt(name: String) -> Bool { current.kind == .name(name) }

    mutating func skip(_ symbol: Token.Symbol) throws -> Bool {
        guard isAt(symbol) else { return false }
        try advance()
        return true
    }

    mutating func skip(name: String) throws -> Bool {
        guard isAt(name: name) else { return false }
        try advance()
        return true
    }

    mutating func expect(_ symbol: Token.Symbol) throws {
        if try !skip(symbol) { throw unexpected("'\(symbol.rawValue)'") }
    }

    mutating func expect(name: String) throws {
        if try !skip(name: name) { throw unexpected("'\(name)'") }
    }

    mutating func expect(_ kind: Token.Kind) throws {
        if current.kind != kind { throw unexpected("'\(Token(kind: kind, line: 0).description)'") }
        try advance()
    }

    mutating func expectName() throws -> String {
        guard case .name(let name) = current.kind else { throw unexpected("a name") }
        try advance()
        return name
    }

    func unexpected(_ expected: String) -> TemplateFailure {
        failure("expected \(expected), got '\(current.description)'")
    }
}
