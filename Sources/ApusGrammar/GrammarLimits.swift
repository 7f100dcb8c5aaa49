/// What a grammar may cost, so that a hostile one is refused instead of served.
package struct GrammarLimits: Sendable {
    /// How many nodes all rules together may have, repetitions expanded.
    package var nodeCount = 400_000
    /// How deep groups, schemas and patterns may nest.
    package var nestingDepth = 64
    /// How often something may be repeated by number: `{m,n}`, `maxLength`, `maxItems`.
    package var repetition = 20_000
    /// How many bytes the text of a grammar or a schema may have.
    package var textByteCount = 1 << 20
    /// How deep rules may call each other while matching; deeper continuations are not offered.
    package var stackDepth = 2_000
    /// How many readings of the text so far may be open at once.
    package var configurationCount = 20_000
    /// How many parser states a matcher remembers, up to a kilobyte each.
    package var stateCount = 4_096
    /// How many masks a matcher remembers.
    package var maskCount = 64
    /// How many accepted tokens can be rolled back.
    package var rollbackCount = 256

    /// The limits that requests get.
    package init() {}
}
