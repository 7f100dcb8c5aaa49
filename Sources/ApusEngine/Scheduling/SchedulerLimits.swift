internal import ApusCore
internal import ApusNN

/// The sizes a scheduler keeps to: what the runner offers, narrowed by the configuration.
package struct SchedulerLimits: Sendable, Equatable {
    /// Rows a step has at most.
    package let maximumRowCount: Int
    /// Rows of a step that may belong to sequences more than one token behind.
    package let chunkLength: Int
    /// Sequences that may be under way at once.
    package let maximumSequenceCount: Int
    /// Positions a KV block holds.
    package let blockLength: Int
    /// KV blocks in the pool.
    package let blockCount: Int
    /// Positions a sequence may have.
    package let contextLength: Int
    /// Whether full blocks are kept and shared by sequences that begin alike.
    package let cachesPrefixes: Bool
    /// When sequences may join those that are running.
    package let batching: Batching

    /// Checks the sizes against each other.
    /// - Throws: `ApusError` with code `invalidArgument`, naming the size, its range and its value.
    package init(
        maximumRowCount: Int,
        chunkLength: Int,
        maximumSequenceCount: Int,
        blockLength: Int,
        blockCount: Int,
        contextLength: Int,
        cachesPrefixes: Bool = true,
        batching: Batching = .fused
    ) throws {
        try Self.check("maximumRowCount", maximumRowCount, 1...Int(Int32.max))
        try Self.check("chunkLength", chunkLength, 1...maximumRowCount)
        try Self.check("maximumSequenceCount", maximumSequenceCount, 1...maximumRowCount)
        try Self.check("blockLength", blockLength, 1...Int(Int32.max))
        try Self.check("blockCount", blockCount, 1...Int(Int32.max))
        try Self.check("contextLength", contextLength, 2...Int(Int32.max))
        self.maximumRowCount = maximumRowCount
        self.chunkLength = chunkLength
        self.maximumSequenceCount = batching == .sequential ? 1 : maximumSequenceCount
        self.blockLength = blockLength
        self.blockCount = blockCount
        self.contextLength = contextLength
        self.cachesPrefixes = cachesPrefixes
        self.batching = batching
    }

    /// Tokens a sequence may know: the context's length, or what all blocks together hold plus the last token, which
    /// needs no room.
    package var maximumTokenCount: Int { min(contextLength, blockCount * blockLength + 1) }

    /// Blocks that hold `positionCount` positions.
    package func blockCount(forPositions positionCount: Int) -> Int {
        (positionCount + blockLength - 1) / blockLength
    }

    /// Throws for a size outside its range, naming all three.
    static func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
        guard !range.contains(value) else { return }
        throw ApusError(
            .invalidArgument,
            "\(name): expected \(range.lowerBound) to \(range.upperBound), found \(value)"
        )
    }
}
