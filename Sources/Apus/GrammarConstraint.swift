import ApusCore
import ApusEngine
package import ApusGrammar

/// Keeps an answer to a grammar.
package struct GrammarConstraint: TokenConstraint {
    private var matcher: GrammarMatcher
    private var allowed = TokenMask(vocabularySize: 0)

    package init(_ matcher: GrammarMatcher) { self.matcher = matcher }

    package mutating func mask(_ logits: inout MutableSpan<Float>) throws {
        try matcher.allowedTokens(into: &allowed)
        guard !allowed.isEmpty else {
            throw ApusError(.unsupported, "grammar: no token of the model's vocabulary goes on as it demands")
        }
        allowed.apply(to: &logits)
    }

    package mutating func accept(_ token: Int32) throws {
        guard try matcher.accept(token) else {
            throw ApusError(.unsupported, "grammar: token \(token) came, which it does not allow")
        }
    }
}
