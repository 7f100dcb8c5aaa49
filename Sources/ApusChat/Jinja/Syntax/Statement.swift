/// A statement of a template, with the line it starts on.
struct Statement: Sendable {
    indirect enum Kind: Sendable {
        case output([OutputPart])
        case branch([(test: Expression, body: [Statement])], otherwise: [Statement])
        case loop(Loop)
        case set(Target, Expression)
        case setBlock(Target, filters: [Expression.Suffix], ScopedBody)
        case macro(MacroDefinition)
        case callBlock(Expression, MacroDefinition)
        case filterBlock([Expression.Suffix], ScopedBody)
        case with([(target: Target, value: Expression)], ScopedBody)
        case generation(ScopedBody)
        /// A block; what stands around it is visible only if it says so, the template's own variables always.
        case block(ScopedBody, seesAround: Bool)
        /// Fails where it is reached.
        case refused(String)
        case breakLoop
        case continueLoop
    }

    let kind: Kind
    let line: Int
}

enum OutputPart: Sendable {
    case text([UInt8])
    case expression(Expression, line: Int)
}

/// Statements with the names they see of their own.
struct ScopedBody: Sendable {
    let scope: Scope
    let statements: [Statement]
}

/// What an assignment writes to.
indirect enum Target: Sendable {
    case name(String)
    case attribute(of: String, String)
    case tuple([Target])

    var names: [String] {
        switch self {
        case .name(let name): [name]
        case .attribute: []
        case .tuple(let targets): targets.flatMap(\.names)
        }
    }

    /// The namespaces whose attributes are assigned.
    var namespaces: [String] {
        switch self {
        case .name: []
        case .attribute(let name, _): [name]
        case .tuple(let targets): targets.flatMap(\.namespaces)
        }
    }
}

struct Loop: Sendable {
    let target: Target
    let iterable: Expression
    /// The `if` of the loop, evaluated in a scope that holds the target alone.
    let filter: (scope: Scope, test: Expression)?
    let isRecursive: Bool
    let body: ScopedBody
    let otherwise: ScopedBody?
}

struct MacroDefinition: Sendable {
    /// Nil for the body of a call block.
    let name: String?
    let parameters: [(name: String, defaultValue: Expression?)]
    let body: ScopedBody
    /// Whether the body mentions `caller`, `kwargs` or `varargs`, which it then receives.
    let usesCaller: Bool
    let usesKeywords: Bool
    let usesVariadic: Bool
}
