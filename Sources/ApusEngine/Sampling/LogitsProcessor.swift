/// Changes a row of logits before a token is chosen from it: one step of an ordered chain.
///
/// A processor belongs to one request and remembers what it needs of the tokens so far. It must not allocate once it
/// is created.
package protocol LogitsProcessor: Sendable {
    /// Whether it can change which logit is the largest; one that cannot is left out of greedy generation.
    var changesGreedyPick: Bool { get }

    /// Changes the logits, one per token of the vocabulary, in place.
    func process(_ logits: inout MutableSpan<Float>)

    /// Learns the token that was chosen.
    mutating func accept(_ token: Int32)
}

extension LogitsProcessor {
    package mutating func accept(_ token: Int32) {}
}
