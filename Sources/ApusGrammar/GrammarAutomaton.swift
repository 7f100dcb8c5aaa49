import ApusCore

/// A grammar's pushdown automaton, made deterministic as far as it has been walked.
///
/// A state is the set of all readings of the text so far. Equal sets are one state, and a state's successors are
/// computed once.
struct GrammarAutomaton {
    static let dead: Int32 = -1
    private static let unknown: Int32 = -2

    let rules: GrammarRules
    private var stacks = ContinuationStacks()
    private var states: [[Configuration]] = []
    private var known: [[Configuration]: Int32] = [:]
    private var knownSingles: [Configuration: Int32] = [:]
    // One successor of each state for each class of bytes.
    private var successors: [Int32] = []
    // Where plain characters lead from each state, and from each set of nodes, where that was asked for.
    var plainSteps: [Int32: [PlainStep]] = [:]
    var plainTargets: [[Int32]: PlainTargets] = [:]

    init(_ rules: GrammarRules) { self.rules = rules }

    private var configurationCount = 0
    // Of configurations in all states, and of stack entries: 8 MB and 40 MB.
    private static let largestTable = 1 << 20

    /// Whether the table of states should be made anew.
    var isFull: Bool {
        states.count >= rules.limits.stateCount || configurationCount >= Self.largestTable
            || stacks.entries.count >= Self.largestTable
    }

    /// The state before the first byte.
    mutating func start() throws -> Int32 {
        try state(after: [Configuration(node: rules.starts[rules.root], stack: ContinuationStacks.empty)])
    }

    /// Whether the text may end in a state.
    func isComplete(_ state: Int32) -> Bool { states[Int(state)].first == .complete }

    /// The readings of a state that go on with a byte.
    func readings(_ state: Int32) -> [Configuration] { states[Int(state)].filter { $0 != .complete } }

    /// The state after one more byte; `dead` if no text goes on like that.
    mutating func step(_ state: Int32, _ byte: UInt8) throws -> Int32 {
        try knownStep(state, byte) ?? computeStep(state, byte)
    }

    /// The state after one more byte, if it was asked for before.
    @inline(__always)
    func knownStep(_ state: Int32, _ byte: UInt8) -> Int32? {
        let next = successors[Int(state) * rules.byteClasses.count + Int(rules.byteClasses.ofByte[Int(byte)])]
        return next == Self.unknown ? nil : next
    }

    private mutating func computeStep(_ state: Int32, _ byte: UInt8) throws -> Int32 {
        var reached: [Configuration] = []
        // The bytes that share this successor: up to the next place where some reading's range begins or ends.
        var (low, high) = (UInt8.min, UInt8.max)
        for configuration in states[Int(state)] where configuration != .complete {
            let node = rules.nodes[Int(configuration.node)]
            if byte < node.low {
                high = min(high, node.low - 1)
            } else if byte > node.high {
                low = max(low, node.high + 1)
            } else {
                (low, high) = (max(low, node.low), min(high, node.high))
                reached.append(Configuration(node: node.next, stack: configuration.stack))
            }
        }
        let next = try self.state(after: reached)
        let classes = rules.byteClasses
        for index in Int(classes.ofByte[Int(low)])...Int(classes.ofByte[Int(high)]) {
            successors[Int(state) * classes.count + index] = next
        }
        return next
    }

    /// The state of all readings that these lead to without a byte.
    mutating func state(after reached: [Configuration]) throws -> Int32 {
        guard let single = reached.first else { return Self.dead }
        guard reached.count == 1 else { return try intern(closure(reached)) }
        if let known = knownSingles[single] { return known }
        let state = try intern(closure(reached))
        knownSingles[single] = state
        return state
    }

    /// All readings that these lead to without a byte.
    private mutating func closure(_ reached: [Configuration]) throws -> [Configuration] {
        var seen = Set(reached)
        var work = reached
        var result: [Configuration] = []
        func visit(_ node: Int32, _ stack: Int32) {
            guard rules.isProductive[Int(node)] else { return }
            let configuration = Configuration(node: node, stack: stack)
            if seen.insert(configuration).inserted { work.append(configuration) }
        }
        while let configuration = work.popLast() {
            guard seen.count <= rules.limits.configurationCount else { throw tooAmbiguous() }
            let node = rules.nodes[Int(configuration.node)]
            switch node.kind {
            case .bytes:
                if rules.isProductive[Int(configuration.node)] { result.append(configuration) }
            case .split:
                visit(node.next, configuration.stack)
                visit(node.other, configuration.stack)
            case .call:
                if let stack = push(node.next, configuration.stack) { visit(rules.starts[Int(node.other)], stack) }
            case .end where configuration.stack == ContinuationStacks.empty:
                result.append(.complete)
            case .end:
                let top = stacks[configuration.stack]
                visit(top.node, top.rest)
            case .fail: break
            }
        }
        return result.sorted()
    }

    /// The stack for a call; nil where it would be too deep.
    private mutating func push(_ next: Int32, _ stack: Int32) -> Int32? {
        guard rules.isProductive[Int(next)] else { return nil }
        // A call at a rule's end leaves nothing to come back to, so recursion on the right costs no depth.
        guard rules.nodes[Int(next)].kind != .end else { return stack }
        guard stacks[stack].depth < rules.limits.stackDepth else { return nil }
        return stacks.push(next, on: stack)
    }

    private mutating func intern(_ configurations: [Configuration]) throws -> Int32 {
        guard !configurations.isEmpty else { return Self.dead }
        if let state = known[configurations] { return state }
        let state = Int32(truncatingIfNeeded: states.count)
        states.append(configurations)
        configurationCount += configurations.count
        known[configurations] = state
        successors.append(contentsOf: repeatElement(Self.unknown, count: rules.byteClasses.count))
        return state
    }

    private func tooAmbiguous() -> ApusError {
        ApusError(
            .unsupported,
            "grammar: expected at most \(rules.limits.configurationCount) readings of a text at once; make it less "
                + "ambiguous"
        )
    }

    /// An automaton that knows these states only, and their new numbers.
    /// - Throws: `ApusError` with code `unsupported` if these alone are too much to remember.
    func keeping(_ kept: [Int32]) throws -> (automaton: GrammarAutomaton, states: [Int32]) {
        var result = GrammarAutomaton(rules)
        let moved = try kept.map { state in
            let configurations = states[Int(state)].map { configuration in
                var path: [Int32] = []
                var stack = configuration.stack
                while stack != ContinuationStacks.empty {
                    path.append(stacks[stack].node)
                    stack = stacks[stack].rest
                }
                let moved = path.reversed().reduce(ContinuationStacks.empty) { result.stacks.push($1, on: $0) }
                return Configuration(node: configuration.node, stack: moved)
            }
            return try result.intern(configurations.sorted())
        }
        guard !result.isFull else { throw tooAmbiguous() }
        return (result, moved)
    }
}
