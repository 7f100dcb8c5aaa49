/// What an answer must look like: says before each of its tokens which may come.
///
/// A value that belongs to one answer. It may allocate: what it costs is part of the step's time.
public protocol TokenConstraint: Sendable {
    /// Sets the logits of all tokens that may not come next to minus infinity.
    /// - Parameter logits: one per row of the model's output matrix, which may have more rows than the vocabulary tokens.
    /// - Throws: what keeps the constraint from being followed; it ends the answer.
    mutating func mask(_ logits: inout MutableSpan<Float>) throws

    /// Learns the token that was chosen, one that may come.
    /// - Throws: as `mask`.
    mutating func accept(_ token: Int32) throws
}
