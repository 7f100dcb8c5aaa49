/// A grammar over bytes, checked and ready to match: rules that consist of byte ranges, choices and calls.
///
/// Every front end (GBNF, JSON Schema) compiles to it. No rule is left-recursive, and no node that can never lead to the
/// end of a text is ever entered. Thread-safe: immutable.
package struct GrammarRules: Sendable {
    let nodes: [GrammarNode]
    /// The first node of each rule.
    let starts: [Int32]
    /// The rule of the whole text.
    let root: Int
    /// Whether a text can still end from a node.
    let isProductive: [Bool]
    let byteClasses: ByteClasses
    let limits: GrammarLimits

    /// How many nodes the rules have.
    package var nodeCount: Int { nodes.count }
}
