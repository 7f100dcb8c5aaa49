import ApusChat
import ApusGrammar
import Synchronization

/// The grammars of the shapes that were asked for last: clients ask for the same few again and again.
///
/// Thread-safe.
final class GrammarCache: Sendable {
    fileprivate struct Key: Hashable {
        let shape: AnswerShape
        let format: ToolCallFormat
        let thoughts: Thoughts
    }

    fileprivate struct State {
        var grammars: [Key: (grammar: Grammar, lastUse: Int)] = [:]
        var clock = 0
    }

    private let state = Mutex(State())
    /// At most so many are kept, up to 5 MB each.
    private static let limit = 16

    /// The grammar of a shape.
    /// - Throws: as `AnswerGrammar.compile`.
    func grammar(_ shape: AnswerShape, format: ToolCallFormat, thoughts: Thoughts) throws -> Grammar {
        let key = Key(shape: shape, format: format, thoughts: thoughts)
        if let known = state.withLock({ $0.use(key) }) { return known }
        let grammar = try AnswerGrammar.compile(shape, format: format, thoughts: thoughts)
        state.withLock { state in
            if state.grammars.count >= Self.limit,
                let oldest = state.grammars.min(by: { $0.value.lastUse < $1.value.lastUse })?.key
            {
                state.grammars[oldest] = nil
            }
            state.grammars[key] = (grammar, state.clock)
        }
        return grammar
    }
}

extension GrammarCache.State {
    fileprivate mutating func use(_ key: GrammarCache.Key) -> Grammar? {
        clock += 1
        grammars[key]?.lastUse = clock
        return grammars[key]?.grammar
    }
}
