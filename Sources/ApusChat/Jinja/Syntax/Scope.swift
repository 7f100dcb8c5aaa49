/// The names that a block of statements refers to, and what each is bound to when the block is entered.
///
/// Jinja decides this from the source alone, before anything runs: a name assigned anywhere in a block is local to
/// it from the block's start, with the outer value as its initial one.
struct Scope: Sendable {
    struct Symbol: Sendable {
        /// A parameter or loop variable: set by whoever enters the block.
        var isParameter = false
        /// Assigned in the block, so that the block needs a variable of its own.
        var isStored = false
        /// Whether the name falls back to the values passed to the template.
        ///
        /// A name that is assigned before it is read does not, unless the assignment is conditional.
        var isResolved = false
    }

    private(set) var names: [String] = []
    private(set) var symbols: [Symbol] = []
    private(set) var index: [String: Int] = [:]

    fileprivate mutating func update(_ name: String, initial: Symbol, _ change: (inout Symbol) -> Void) {
        if let position = index[name] { return change(&symbols[position]) }
        index[name] = names.count
        names.append(name)
        symbols.append(initial)
    }
}

/// Builds the scopes of nested blocks while they are parsed.
struct ScopeStack {
    /// A block whose names are being collected.
    struct Block {
        fileprivate var scope = Scope()
        fileprivate var mentioned: Set<String> = []
        fileprivate var branchDepth = 0
    }

    private var scopes: [Block] = []

    mutating func push(parameters: [String] = []) {
        scopes.append(Block())
        for parameter in parameters { declareParameter(parameter) }
    }

    /// Ends the innermost block; the names that it reads count as mentioned by the block around it.
    mutating func pop() -> Scope {
        guard let last = scopes.popLast() else { return Scope() }
        if !scopes.isEmpty { scopes[scopes.count - 1].mentioned.formUnion(last.mentioned) }
        return last.scope
    }

    /// Takes the innermost block away, to be resumed after something that does not see it.
    mutating func suspend() -> Block { scopes.popLast() ?? Block() }
    mutating func resume(_ block: Block) { scopes.append(block) }

    /// Whether the innermost block, or one inside it, reads `name`.
    func mentions(_ name: String) -> Bool { scopes.last?.mentioned.contains(name) ?? false }

    mutating func declareParameter(_ name: String) {
        let symbol = Scope.Symbol(isParameter: true, isStored: true)
        change(name, initial: symbol) { $0 = symbol }
    }

    mutating func load(_ name: String) {
        guard !scopes.isEmpty else { return }
        scopes[scopes.count - 1].mentioned.insert(name)
        change(name, initial: Scope.Symbol(isResolved: true)) { _ in }
    }

    mutating func store(_ name: String) {
        let isConditional = (scopes.last?.branchDepth ?? 0) > 0
        change(name, initial: Scope.Symbol(isStored: true, isResolved: isConditional)) { $0.isStored = true }
    }

    /// Runs `body` for a part that is executed only under a condition.
    mutating func enterBranch() { if !scopes.isEmpty { scopes[scopes.count - 1].branchDepth += 1 } }
    mutating func leaveBranch() { if !scopes.isEmpty { scopes[scopes.count - 1].branchDepth -= 1 } }

    private mutating func change(_ name: String, initial: Scope.Symbol, _ body: (inout Scope.Symbol) -> Void) {
        guard !scopes.isEmpty else { return }
        scopes[scopes.count - 1].scope.update(name, initial: initial, body)
    }
}
