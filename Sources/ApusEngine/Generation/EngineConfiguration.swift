package import ApusNN

/// How an engine shares its runner among requests.
///
/// A plain value, checked when the engine is created.
public struct EngineConfiguration: Sendable, Equatable {
    /// Prompt tokens computed in one step; nil takes as many as the runner can.
    public var chunkLength: Int?
    /// Requests worked on at once; nil takes 64, or as many as the runner can if those are fewer.
    public var maximumSequenceCount: Int?

    /// Creates a configuration.
    /// - Parameters:
    ///   - chunkLength: prompt tokens computed in one step.
    ///   - maximumSequenceCount: requests worked on at once.
    public init(chunkLength: Int? = nil, maximumSequenceCount: Int? = nil) {
        self.chunkLength = chunkLength
        self.maximumSequenceCount = maximumSequenceCount
    }

    /// The sizes that result for a runner.
    /// - Throws: `ApusError` with code `invalidArgument` for a size outside its range.
    package func limits(for runner: any StepRunning) throws -> SchedulerLimits {
        try SchedulerLimits(
            maximumRowCount: runner.maximumRowCount,
            chunkLength: chunkLength ?? runner.maximumRowCount,
            maximumSequenceCount: maximumSequenceCount ?? min(64, runner.maximumRowCount),
            blockLength: runner.blockLength,
            blockCount: runner.blockCount,
            contextLength: runner.contextLength
        )
    }
}
