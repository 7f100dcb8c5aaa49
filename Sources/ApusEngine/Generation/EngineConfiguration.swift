package import ApusNN

/// How an engine shares its runner among requests.
///
/// A plain value, checked when the engine is created.
public struct EngineConfiguration: Sendable, Equatable {
    /// Prompt tokens computed in one step; nil takes as many as the runner can.
    public var chunkLength: Int?
    /// Requests worked on at once; nil takes 64, or as many as the runner can if those are fewer.
    public var maximumSequenceCount: Int?
    /// Whether requests that begin alike share keys and values.
    public var cachesPrefixes: Bool
    /// How long a step should last at most: prompts are computed in chunks that fit, so that generating requests, new
    /// ones and cancellations wait no longer; nil computes prompts as fast as the runner can.
    public var maximumStepDuration: Duration?
    /// When requests may join those that are running.
    public var batching: Batching

    /// Creates a configuration.
    /// - Parameters:
    ///   - chunkLength: prompt tokens computed in one step.
    ///   - maximumSequenceCount: requests worked on at once.
    ///   - cachesPrefixes: whether requests that begin alike share keys and values.
    ///   - maximumStepDuration: how long a step should last at most.
    ///   - batching: when requests may join those that are running.
    public init(
        chunkLength: Int? = nil,
        maximumSequenceCount: Int? = nil,
        cachesPrefixes: Bool = true,
        maximumStepDuration: Duration? = nil,
        batching: Batching = .fused
    ) {
        self.chunkLength = chunkLength
        self.maximumSequenceCount = maximumSequenceCount
        self.cachesPrefixes = cachesPrefixes
        self.maximumStepDuration = maximumStepDuration
        self.batching = batching
    }

    /// The sizes that result for a runner.
    /// - Throws: `ApusError` with code `invalidArgument` for a size outside its range.
    package func limits(for runner: any StepRunning) throws -> SchedulerLimits {
        if let maximumSequenceCount {
            try SchedulerLimits.check("maximumSequenceCount", maximumSequenceCount, 1...runner.maximumSequenceCount)
        }
        return try SchedulerLimits(
            maximumRowCount: runner.maximumRowCount,
            chunkLength: chunkLength ?? runner.maximumRowCount,
            maximumSequenceCount: maximumSequenceCount ?? min(64, runner.maximumSequenceCount),
            blockLength: runner.blockLength,
            blockCount: runner.blockCount,
            contextLength: runner.contextLength,
            cachesPrefixes: cachesPrefixes,
            batching: batching
        )
    }
}
