/// When requests may join those that are running: the ways that Flover (arXiv 2305.13484, section 4) compares.
///
/// Everything but `fused` exists to be measured against.
public enum Batching: String, Sendable, CaseIterable {
    /// Every request that is under way takes part in every step; requests join and leave between any two steps.
    case fused
    /// Requests that wait form a batch; the next batch starts when the last request of this one has ended.
    case `static`
    /// One request after the other.
    case sequential
}
