internal import Synchronization

/// What an engine has done so far and what it is doing: the numbers behind a server's metrics.
public struct EngineStatistics: Sendable, Equatable {
    /// Requests waiting for their first step, or preempted.
    public internal(set) var waitingCount = 0
    /// Requests being worked on.
    public internal(set) var runningCount = 0
    /// KV blocks in the pool.
    public internal(set) var blockCount = 0
    /// KV blocks that no request holds.
    public internal(set) var availableBlockCount = 0
    /// Of these, blocks whose contents a later request may share.
    public internal(set) var cachedBlockCount = 0
    /// Steps computed.
    public internal(set) var stepCount = 0
    /// Rows computed: tokens of prompts, and tokens generated.
    public internal(set) var computedRowCount = 0
    /// Prompt tokens that were not computed because their keys and values were there.
    public internal(set) var cachedTokenCount = 0
    /// Of these, tokens whose keys and values were read from disk.
    public internal(set) var restoredTokenCount = 0
    /// KV blocks written to disk.
    public internal(set) var savedBlockCount = 0
    /// Bytes of their files.
    public internal(set) var savedByteCount = 0
    /// Times a request gave its blocks back to one of higher rank.
    public internal(set) var preemptionCount = 0
    /// Time spent in steps.
    public internal(set) var stepDuration = Duration.zero
    /// How long the last step lasted.
    public internal(set) var lastStepDuration = Duration.zero
    /// Rows of the last step.
    public internal(set) var lastStepRowCount = 0
}

/// Where the step loop posts its statistics and anyone reads them.
package final class StatisticsBoard: Sendable {
    private let statistics = Mutex(EngineStatistics())

    package init() {}

    /// The latest statistics.
    package var latest: EngineStatistics { statistics.withLock { $0 } }

    /// Replaces them.
    package func post(_ latest: EngineStatistics) { statistics.withLock { $0 = latest } }
}
