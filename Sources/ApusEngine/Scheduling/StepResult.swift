/// What a step gave: the token chosen for each row of logits of its plan.
///
/// Filled again and again like `StepPlan`, without allocating.
package struct StepResult {
    /// One entry per row of logits; nil where the logits were not numbers, which ends the sequence with an error.
    package private(set) var tokens: [Int32?] = []

    /// Creates an empty result with room for `capacity` rows.
    package init(capacity: Int) { tokens.reserveCapacity(capacity) }

    /// Empties the result, keeping its memory.
    package mutating func removeAll() { tokens.removeAll(keepingCapacity: true) }

    /// Adds the next row's token.
    package mutating func append(_ token: Int32?) { tokens.append(token) }
}
