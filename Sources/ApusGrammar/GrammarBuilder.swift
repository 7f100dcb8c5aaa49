import ApusCore

/// Collects rules and lays them out as nodes.
package struct GrammarBuilder {
    private(set) var nodes: [GrammarNode] = [GrammarNode(kind: .end)]
    private(set) var starts: [Int32] = []
    private(set) var names: [String] = []
    let limits: GrammarLimits
    /// What messages call the grammar.
    let source: String

    /// The parts of JSON texts, once a schema has asked for them.
    private var jsonText: JSONText?

    private static let end: Int32 = 0
    private static let undefined: Int32 = -1

    /// Starts without rules.
    /// - Parameters:
    ///   - limits: what the grammar may cost.
    ///   - source: what messages call it.
    package init(limits: GrammarLimits = GrammarLimits(), source: String) {
        self.limits = limits
        self.source = source
    }

    /// Declares a rule that `define` gives a body.
    mutating func declare(_ name: String) throws -> Int {
        guard starts.count < limits.nodeCount else { throw tooLarge() }
        starts.append(Self.undefined)
        names.append(name)
        return starts.count - 1
    }

    func isDefined(_ rule: Int) -> Bool { starts[rule] != Self.undefined }

    mutating func define(_ rule: Int, as expression: GrammarExpression) throws {
        starts[rule] = try lay(expression, before: Self.end)
    }

    /// Adds a rule.
    /// - Returns: a call of it.
    /// - Throws: `ApusError` (`invalidArgument`) if the grammar becomes too large.
    package mutating func add(_ name: String, _ expression: GrammarExpression) throws -> GrammarExpression {
        let rule = try declare(name)
        try define(rule, as: expression)
        return .rule(rule)
    }

    /// The parts of JSON texts, whose rules exist once.
    mutating func json() throws -> JSONText {
        if let jsonText { return jsonText }
        let made = try JSONText(&self)
        jsonText = made
        return made
    }

    /// The checked grammar of an expression.
    /// - Throws: `ApusError` with code `invalidArgument` or `unsupported`.
    package mutating func grammar(_ root: GrammarExpression) throws -> GrammarRules {
        let rule = try declare("root")
        try define(rule, as: root)
        return try build(root: rule)
    }

    /// The checked grammar.
    func build(root: Int) throws -> GrammarRules {
        if let rule = starts.firstIndex(of: Self.undefined) {
            throw ApusError(.invalidArgument, "\(source): rule \(names[rule]) is used but not defined")
        }
        let analysis = GrammarAnalysis(nodes: nodes, starts: starts)
        if let rule = analysis.leftRecursiveRule() {
            throw ApusError(
                .unsupported,
                "\(source): rule \(names[rule]) is left-recursive; write the repetition with * or recurse on the right"
            )
        }
        guard analysis.isProductive[Int(starts[root])] else {
            throw ApusError(.invalidArgument, "\(source): no finite text matches rule \(names[root])")
        }
        return GrammarRules(
            nodes: nodes,
            starts: starts,
            root: root,
            isProductive: analysis.isProductive,
            byteClasses: ByteClasses(nodes),
            limits: limits
        )
    }

    // MARK: Laying out

    private mutating func append(_ node: GrammarNode) throws -> Int32 {
        guard nodes.count < limits.nodeCount else { throw tooLarge() }
        nodes.append(node)
        return Int32(truncatingIfNeeded: nodes.count - 1)
    }

    private func tooLarge() -> ApusError {
        ApusError(.invalidArgument, "\(source): expected at most \(limits.nodeCount) nodes; the grammar has more")
    }

    /// Lays an expression out from its end; what follows it is there already.
    private mutating func lay(_ expression: GrammarExpression, before next: Int32) throws -> Int32 {
        switch expression {
        case .byte(let range):
            return try append(GrammarNode(kind: .bytes, low: range.lowerBound, high: range.upperBound, next: next))
        case .literal(let bytes):
            return try bytes.reversed().reduce(next) {
                try append(GrammarNode(kind: .bytes, low: $1, high: $1, next: $0))
            }
        case .sequence(let parts):
            return try parts.reversed().reduce(next) { try lay($1, before: $0) }
        case .choice(let parts):
            guard let last = parts.last else { return try append(GrammarNode(kind: .fail)) }
            return try parts.dropLast().reversed().reduce(try lay(last, before: next)) { rest, part in
                let start = try lay(part, before: next)
                return try append(GrammarNode(kind: .split, next: start, other: rest))
            }
        case .repetition(let body, let minimum, let maximum):
            return try layRepetition(of: body, minimum, maximum, before: next)
        case .rule(let rule):
            return try append(GrammarNode(kind: .call, next: next, other: Int32(truncatingIfNeeded: rule)))
        }
    }

    private mutating func layRepetition(
        of body: GrammarExpression,
        _ minimum: Int,
        _ maximum: Int?,
        before next: Int32
    ) throws -> Int32 {
        let count = maximum ?? minimum
        guard count <= limits.repetition, minimum <= count else {
            throw ApusError(
                .invalidArgument,
                "\(source): expected a repetition of at most \(limits.repetition), found \(minimum) to \(count)"
            )
        }
        // A large body that stands several times becomes a rule, so that nested repetitions don't multiply.
        let copy = body.isSmall || count <= 1 ? body : try add("repetition", body)
        var start = next
        if let maximum {
            for _ in minimum..<maximum {
                let more = try lay(copy, before: start)
                start = try append(GrammarNode(kind: .split, next: more, other: next))
            }
        } else {
            let loop = try append(GrammarNode(kind: .split, next: next, other: next))
            nodes[Int(loop)].next = try lay(copy, before: loop)
            start = loop
        }
        for _ in 0..<minimum { start = try lay(copy, before: start) }
        return start
    }
}
