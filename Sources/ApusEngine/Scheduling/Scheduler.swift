package import ApusNN

/// Decides what runs now: turns known but uncomputed tokens of many sequences into steps.
///
/// A step takes first one row of every sequence that is a single token behind, then rows of the others, which share
/// what is left of the step's rows evenly: a long prompt never holds up sequences that are generating, nor a short
/// prompt that came after it. Everything goes by rank: priority first, then age.
///
/// A sequence is admitted when there are blocks for all its known tokens, beginning with the full blocks that the
/// prefix cache has. While it generates it takes blocks as it needs them; when there are none, the running sequence of
/// the lowest rank gives its own back and is computed again later, its tokens kept. The first in rank is never
/// preempted, so there is always progress.
///
/// Between `plan` and `commit` nothing is allocated. Not thread-safe: the step loop owns it.
package struct Scheduler {
    /// The sizes it keeps to.
    package let limits: SchedulerLimits
    /// The KV blocks and what they hold.
    package private(set) var cache: PrefixCache
    /// Sequences without blocks, by rank.
    package private(set) var waiting: [SequenceState] = []
    /// Sequences with blocks, by rank.
    package private(set) var running: [SequenceState] = []
    /// The sequence of each slice of the last plan.
    package private(set) var planned: [SequenceState] = []
    /// How many of `planned` are a single token behind; the rest are chunks of prompts.
    package private(set) var plannedSingleCount = 0
    /// How many times a sequence had to give its blocks back.
    package private(set) var preemptionCount = 0
    /// Positions that were found stored instead of being computed.
    package private(set) var cachedTokenCount = 0

    /// Creates a scheduler for a pool of `limits.blockCount` free blocks.
    package init(limits: SchedulerLimits) {
        self.limits = limits
        cache = PrefixCache(
            blockCount: limits.blockCount,
            blockLength: limits.blockLength,
            isEnabled: limits.cachesPrefixes
        )
        running.reserveCapacity(limits.maximumSequenceCount)
        waiting.reserveCapacity(limits.maximumSequenceCount)
        planned.reserveCapacity(limits.maximumSequenceCount)
    }

    /// Whether no sequence is waiting or running.
    package var isIdle: Bool { waiting.isEmpty && running.isEmpty }

    /// Puts a sequence into the queue.
    ///
    /// Its `tokenLimit` is at most `limits.maximumTokenCount`.
    package mutating func add(_ sequence: SequenceState) {
        precondition(sequence.tokenLimit <= limits.maximumTokenCount)
        Self.insert(sequence, into: &waiting)
    }

    /// Ends a sequence between two steps and frees its blocks.
    /// - Returns: the sequence, or nil if it has ended already.
    package mutating func end(id: Int, reason: FinishReason) -> SequenceState? {
        if let index = waiting.firstIndex(where: { $0.id == id }) {
            let sequence = waiting.remove(at: index)
            sequence.finishReason = reason
            return sequence
        }
        guard let index = running.firstIndex(where: { $0.id == id }) else { return nil }
        let sequence = running.remove(at: index)
        sequence.finishReason = reason
        cache.release(&sequence.blocks)
        return sequence
    }

    /// The first sequence found whose deadline has passed.
    package func overdue(at now: ContinuousClock.Instant) -> SequenceState? {
        func isOverdue(_ sequence: SequenceState) -> Bool { sequence.deadline.map { $0 <= now } ?? false }
        return waiting.first(where: isOverdue) ?? running.first(where: isOverdue)
    }

    /// Fills `plan` with the next step.
    /// - Parameters:
    ///   - plan: the plan.
    ///   - promptRowLimit: the most rows of sequences more than one token behind, given how many sequences are one
    ///     token behind, and how many more.
    /// - Returns: whether there is anything to compute.
    package mutating func plan(
        into plan: inout StepPlan,
        promptRowLimit: (_ singleCount: Int, _ promptCount: Int) -> Int = { _, _ in .max }
    ) -> Bool {
        plan.removeAll()
        planned.removeAll(keepingCapacity: true)
        admit()
        planSingles(into: &plan)
        plannedSingleCount = planned.count
        let limit = max(1, promptRowLimit(plannedSingleCount, running.count - plannedSingleCount))
        planPrompts(into: &plan, rowLimit: min(limits.chunkLength, limits.maximumRowCount - plan.tokens.count, limit))
        return !planned.isEmpty
    }

    /// Takes the last plan's result: computed positions advance, full blocks become known, tokens are added, ended
    /// sequences free their blocks.
    ///
    /// The sequences stay in `planned` until the next plan, for whoever delivers their tokens.
    package mutating func commit(_ plan: borrowing StepPlan, _ result: borrowing StepResult) {
        precondition(result.tokens.count == plan.logitsRowCount)
        for index in planned.indices {
            let sequence = planned[index]
            let slice = plan.slices[index]
            sequence.markComputed(slice.rows.count)
            noteFullBlocks(sequence)
            for row in slice.firstLogitsRow..<slice.firstLogitsRow + slice.logitsCount {
                if let token = result.tokens[row] {
                    sequence.accept(token)
                } else {
                    sequence.finishReason = .error
                }
            }
            if sequence.finishReason != nil { cache.release(&sequence.blocks) }
        }
        running.removeAll { $0.finishReason != nil }
    }

    // MARK: - Admission

    /// Moves sequences from the queue to the running ones, by rank, while there is room; nobody overtakes one that
    /// waits for blocks.
    private mutating func admit() {
        if limits.batching == .static, !running.isEmpty { return }
        var index = 0
        while index < waiting.count, running.count < limits.maximumSequenceCount {
            let sequence = waiting[index]
            let matchCount = cache.matchCount(sequence.tokens)
            if isComputed(byAnother: sequence, from: matchCount) {
                index += 1
                continue
            }
            guard start(sequence) else { break }
            waiting.remove(at: index)
            Self.insert(sequence, into: &running)
        }
    }

    /// Shares the blocks there are and allocates those for the rest of the known tokens, leaving one for each running
    /// sequence to grow into.
    private mutating func start(_ sequence: SequenceState) -> Bool {
        let place = cache.share(sequence.tokens, into: &sequence.blocks)
        let sharedCount = sequence.blocks.count
        let neededCount = limits.blockCount(forPositions: sequence.tokens.count) - sharedCount
        guard neededCount + running.count <= cache.availableCount, cache.allocate(neededCount, into: &sequence.blocks)
        else {
            cache.release(&sequence.blocks)
            return false
        }
        sequence.place = place
        sequence.knownBlockCount = sharedCount
        sequence.start(cachedCount: sharedCount * limits.blockLength)
        cachedTokenCount += sequence.computedCount
        return true
    }

    /// Whether a running sequence is at work on the next full block of a waiting one: to wait for it is quicker than to
    /// compute it twice.
    private func isComputed(byAnother sequence: SequenceState, from matchCount: Int) -> Bool {
        let end = (matchCount + 1) * limits.blockLength
        guard limits.cachesPrefixes, sequence.tokens.count > end else { return false }
        return running.contains { other in
            other.tokens.count >= end && other.computedCount < end && other.pendingCount > 1
                && other.tokens[..<end] == sequence.tokens[..<end]
        }
    }

    // MARK: - A step

    private mutating func planSingles(into plan: inout StepPlan) {
        var index = 0
        while index < running.count {
            let sequence = running[index]
            guard !sequence.isPrompt else {
                index += 1
                continue
            }
            guard makeRoom(for: sequence) else {
                preempt(at: index)
                continue
            }
            append(sequence, rowCount: 1, to: &plan)
            index += 1
        }
    }

    /// Sees to it that a sequence has a block for its next position, at the cost of those lower in rank.
    private mutating func makeRoom(for sequence: SequenceState) -> Bool {
        guard sequence.computedCount == sequence.blocks.count * limits.blockLength else { return true }
        while !cache.allocate(1, into: &sequence.blocks) {
            // Those lower in rank come later: none of them is planned yet.
            guard let last = running.last, last !== sequence else { return false }
            preempt(at: running.count - 1)
        }
        return true
    }

    private mutating func preempt(at index: Int) {
        let sequence = running.remove(at: index)
        cache.release(&sequence.blocks)
        sequence.restart()
        Self.insert(sequence, into: &waiting)
        preemptionCount += 1
    }

    /// Shares rows among the sequences that are more than one token behind: each gets up to the level at which all rows
    /// are used.
    private mutating func planPrompts(into plan: inout StepPlan, rowLimit: Int) {
        var left = rowLimit
        var level = 0
        while left > 0 {
            var unsatisfiedCount = 0
            for sequence in running where sequence.isPrompt && sequence.pendingCount > level { unsatisfiedCount += 1 }
            if unsatisfiedCount == 0 { break }
            // Fewer rows than sequences: one each, by rank.
            let step = max(1, left / unsatisfiedCount)
            var taken = 0
            for sequence in running where sequence.isPrompt && sequence.pendingCount > level {
                let more = min(step, sequence.pendingCount - level, left - taken)
                sequence.plannedCount += more
                taken += more
            }
            left -= taken
            level += step
        }
        for sequence in running where sequence.plannedCount > 0 {
            append(sequence, rowCount: sequence.plannedCount, to: &plan)
            sequence.plannedCount = 0
        }
    }

    private mutating func append(_ sequence: SequenceState, rowCount: Int, to plan: inout StepPlan) {
        let position = sequence.computedCount
        plan.append(
            tokens: sequence.tokens[position..<position + rowCount],
            position: position,
            logitsCount: rowCount == sequence.pendingCount ? 1 : 0,
            blocks: sequence.blocks
        )
        planned.append(sequence)
    }

    // MARK: - After a step

    /// Makes the blocks that a step has filled known.
    private mutating func noteFullBlocks(_ sequence: SequenceState) {
        guard limits.cachesPrefixes else { return }
        while (sequence.knownBlockCount + 1) * limits.blockLength <= sequence.computedCount {
            let number = sequence.knownBlockCount
            let start = number * limits.blockLength
            sequence.place = cache.add(
                &sequence.blocks[number],
                holding: sequence.tokens[start..<start + limits.blockLength],
                after: sequence.place
            )
            sequence.knownBlockCount += 1
        }
    }

    private static func insert(_ sequence: SequenceState, into sequences: inout [SequenceState]) {
        let index = sequences.firstIndex { sequence.precedes($0) } ?? sequences.count
        sequences.insert(sequence, at: index)
    }
}
