/// Tags that in Jinja join templates: blocks, which stand for themselves without inheritance, and those that need a
/// loader, which chat templates don't have.
extension Parser {
    /// `{% block NAME [scoped] [required] %}`, a body that sees the template's own variables and not those around it.
    mutating func block(line: Int) throws -> Statement.Kind {
        let name = try expectName()
        guard blockNames.insert(name).inserted else { throw failure("block '\(name)' defined twice", line: line) }
        let isScoped = try skip(name: "scoped")
        let isRequired = try skip(name: "required")
        let body = try functionBody { try $0.detachedBody(until: "endblock") }
        _ = try skip(name: name)
        if isRequired { return .refused("Required block '\(name)' not found") }
        return .block(body, seesAround: isScoped)
    }

    /// A tag that fails once it is reached; what stands in it is checked now.
    mutating func loaderTag(_ tag: String) throws -> Statement.Kind {
        _ = try expression()
        switch tag {
        case "include":
            if try skip(name: "ignore") { try expect(name: "missing") }
            try skipContext()
        case "import":
            try expect(name: "as")
            scopes.store(try expectName())
            try skipContext()
        case "from":
            try expect(name: "import")
            try importedNames()
        default: break
        }
        return .refused("no loader for this environment specified")
    }

    private mutating func importedNames() throws {
        var count = 0
        while current.kind != .blockEnd {
            if count > 0 { try expect(.comma) }
            if count > 0, try skipContext() { return }
            let name = try expectName()
            if name.hasPrefix("_") { throw failure("names starting with an underline can not be imported") }
            scopes.store(try skip(name: "as") ? try expectName() : name)
            count += 1
            if try skipContext() { break }
        }
        if count == 0 { throw unexpected("a name") }
    }

    /// `with context` or `without context`, which change nothing.
    @discardableResult
    private mutating func skipContext() throws -> Bool {
        guard isAt(name: "with") || isAt(name: "without"), try peek().kind == .name("context") else { return false }
        try advance()
        try advance()
        return true
    }
}
