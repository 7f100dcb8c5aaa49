import ApusCore

/// Follows a text token by token and says which tokens a grammar allows next.
///
/// A value that belongs to one sequence; its tables grow with what it has seen, within the grammar's limits. The tokens
/// that end a text are allowed exactly when it is complete.
package struct GrammarMatcher: Sendable {
    private let trie: TokenTrie
    private var automaton: GrammarAutomaton
    // The state after each token that can be rolled back; the last is the present one.
    private var history: [Int32]
    private var hasEnded = false
    private var masks: [Int32: (mask: TokenMask, lastUse: Int)] = [:]
    private var clock = 0
    // The states along a walk through the tokens.
    private var path: [Int32] = []

    /// Starts before the first token.
    package init(_ rules: GrammarRules, _ trie: TokenTrie) throws {
        self.trie = trie
        automaton = GrammarAutomaton(rules)
        history = [try automaton.start()]
    }

    /// A matcher of the same grammar before the first token, which knows what this one has learned.
    package func restarted() throws -> GrammarMatcher {
        var matcher = self
        matcher.history = [try matcher.automaton.start()]
        matcher.hasEnded = false
        return matcher
    }

    private var state: Int32 { history[history.count - 1] }
    private var limits: GrammarLimits { automaton.rules.limits }

    /// Whether the text so far matches the whole grammar.
    package var isComplete: Bool { automaton.isComplete(state) }
    /// Whether the text was ended by a token.
    package var isEnded: Bool { hasEnded }
    /// How many tokens can be rolled back now.
    package var rollbackCount: Int { history.count - 1 + (hasEnded ? 1 : 0) }

    /// Replaces `mask` by the tokens that may come next.
    /// - Throws: `ApusError` with code `unsupported` if a grammar is too ambiguous to follow.
    package mutating func allowedTokens(into mask: inout TokenMask) throws {
        clock &+= 1
        if hasEnded {
            mask = TokenMask(vocabularySize: trie.vocabularySize)
        } else if let known = masks[state] {
            masks[state]?.lastUse = clock
            mask = known.mask
        } else {
            try compute(&mask)
            if isComplete { for id in trie.endOfGeneration { mask.insert(id) } }
            remember(mask)
        }
    }

    /// Takes one more token.
    /// - Returns: false, and nothing changes, if the grammar does not allow it.
    package mutating func accept(_ token: Int32) throws -> Bool {
        guard !hasEnded else { return false }
        if trie.endOfGeneration.contains(token) {
            hasEnded = isComplete
            return isComplete
        }
        guard let bytes = trie.bytes(of: token) else { return false }
        if automaton.isFull { try compact(walked: 0) }
        var next = state
        for byte in bytes {
            next = try automaton.step(next, byte)
            guard next != GrammarAutomaton.dead else { return false }
        }
        history.append(next)
        // Dropped in bulk, so that a token costs no move of the whole window.
        if history.count > 2 * limits.rollbackCount { history.removeFirst(history.count - limits.rollbackCount - 1) }
        return true
    }

    /// Takes back the last tokens.
    /// - Throws: `ApusError` with code `invalidArgument` if there are fewer to take back.
    package mutating func rollback(_ count: Int) throws {
        guard count >= 0, count <= rollbackCount else {
            throw ApusError(.invalidArgument, "rollback: expected at most \(rollbackCount) tokens, found \(count)")
        }
        guard count > 0 else { return }
        history.removeLast(hasEnded ? count - 1 : count)
        hasEnded = false
    }

    /// Sets the mask of the present state, which isn't remembered.
    private mutating func compute(_ mask: inout TokenMask) throws {
        let run = try automaton.plainRun(from: state)
        if run.certain == run.possible {
            mask = trie.plain[run.certain]
            try walk(trie.others, into: &mask)
        } else {
            mask = TokenMask(vocabularySize: trie.vocabularySize)
            try walk(trie.all, into: &mask)
        }
    }

    /// Walks tokens and the automaton together.
    private mutating func walk(_ tree: TokenTree, into mask: inout TokenMask) throws {
        if path.count <= tree.depth { path = Array(repeating: GrammarAutomaton.dead, count: tree.depth + 1) }
        path[0] = state
        var index = 0
        while index + 1 < tree.nodes.count {
            let node = tree.nodes[index]
            let depth = Int(node.depth)
            let next: Int32
            if let known = automaton.knownStep(path[depth], node.byte) {
                next = known
            } else {
                if automaton.isFull { try compact(walked: depth + 1) }
                next = try automaton.step(path[depth], node.byte)
            }
            guard next != GrammarAutomaton.dead else {
                index = Int(node.skip)
                continue
            }
            path[depth + 1] = next
            for token in Int(node.tokens)..<Int(tree.nodes[index + 1].tokens) { mask.insert(tree.tokens[token]) }
            index += 1
        }
    }

    private mutating func remember(_ mask: TokenMask) {
        if masks.count >= limits.maskCount, let oldest = masks.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            masks[oldest.key] = nil
        }
        masks[state] = (mask, clock)
    }

    /// Forgets all states but those that can be returned to and the first of the path, once there are too many.
    private mutating func compact(walked count: Int) throws {
        let kept = Array(history.suffix(limits.rollbackCount + 1))
        let (smaller, states) = try automaton.keeping(kept + path[..<count])
        automaton = smaller
        history = Array(states.prefix(kept.count))
        path.replaceSubrange(0..<count, with: states.dropFirst(kept.count))
        masks.removeAll()
    }
}
