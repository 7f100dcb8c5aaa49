/// A state of a rule's automaton.
struct GrammarNode {
    enum Kind: UInt8 {
        /// A byte from `low` to `high` leads to `next`.
        case bytes
        /// Both `next` and `other` are tried.
        case split
        /// Rule `other` matches, then `next`.
        case call
        /// The rule ends.
        case end
        /// Nothing matches.
        case fail
    }

    var kind: Kind
    var low: UInt8 = 0
    var high: UInt8 = 0
    var next: Int32 = -1
    var other: Int32 = -1
}
