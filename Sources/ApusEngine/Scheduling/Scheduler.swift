package import ApusNN

/// Decides what runs now: turns known but uncomputed tokens of many sequences into steps.
///
/// A step takes first one row of every sequence that is a single token behind, then rows of the others, half of them
/// evenly, half for those with the fewest left: a long prompt never holds up sequences that are generating, nor a short
/// prompt that came after it, and always goes on itself. Everything else goes by rank: priority first, then age.
///
/// A sequence is admitted when there are blocks for all its known tokens, beginning with the full blocks that the
/// prefix cache has. While it generates it takes blocks as it needs them; when there are none, the running sequence of
/// the lowest rank gives its own back and is computed again later, its tokens kept. The first in rank is never
/// preempted, so there is always progress.
///
/// With an archive, blocks that the cache has not are looked for there: a sequence some of whose blocks are being restored
/// has its memory, but takes part in no step. Full blocks are given to the archive as they become known.
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
    /// Sequences whose blocks are being restored.
    package private(set) var restoring: [SequenceState] = []
    /// The sequence of each slice of the last plan.
    package private(set) var planned: [SequenceState] = []
    /// How many of `planned` are a single token behind; the rest are chunks of prompts.
    package private(set) var plannedSingleCount = 0
    /// How many times a sequence had to give its blocks back.
    package private(set) var preemptionCount = 0
    /// Positions that were found stored instead of being computed.
    package private(set) var cachedTokenCount = 0
    /// Of these, positions that were restored from the archive.
    package private(set) var restoredTokenCount = 0
    /// Blocks that the archive is at work on.
    package private(set) var savingCount = 0

    /// Numbers no running sequence has; the last one is handed out first.
    private var freeSlots: [Int]
    private let archive: (any BlockArchive)?
    /// Restorations under way, by their sequence's number, also those whose sequence has ended.
    private var restorations: [Int: Restoration] = [:]

    /// Blocks being filled: they belong to nobody else until all is done.
    private struct Restoration {
        let sequence: SequenceState
        /// All blocks the sequence needs beyond those it shares, those to be restored first.
        var blocks: [Int32]
        let isUnwanted: AtomicFlag
    }

    /// Creates a scheduler for a pool of `limits.blockCount` free blocks.
    /// - Parameters:
    ///   - limits: the sizes to keep to.
    ///   - archive: where full blocks last longer than in the pool.
    package init(limits: SchedulerLimits, archive: (any BlockArchive)? = nil) {
        self.limits = limits
        self.archive = limits.cachesPrefixes ? archive : nil
        cache = PrefixCache(
            blockCount: limits.blockCount,
            blockLength: limits.blockLength,
            isEnabled: limits.cachesPrefixes
        )
        freeSlots = (0..<limits.maximumSequenceCount).reversed()
        running.reserveCapacity(limits.maximumSequenceCount)
        waiting.reserveCapacity(limits.maximumSequenceCount)
        planned.reserveCapacity(limits.maximumSequenceCount)
    }

    /// Whether no sequence is waiting or running.
    package var isIdle: Bool { waiting.isEmpty && activeCount == 0 }

    /// Whether the archive is at work for this scheduler.
    package var awaitsArchive: Bool { savingCount > 0 || !restorations.isEmpty }

    /// Sequences with blocks.
    private var activeCount: Int { running.count + restoring.count }

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
        if let index = restoring.firstIndex(where: { $0.id == id }) {
            let sequence = restoring.remove(at: index)
            sequence.finishReason = reason
            // The blocks that are being filled stay out of reach until that is over.
            restorations[id]?.isUnwanted.set()
            cache.release(&sequence.blocks)
            return sequence
        }
        guard let index = running.firstIndex(where: { $0.id == id }) else { return nil }
        let sequence = running.remove(at: index)
        sequence.finishReason = reason
        giveBack(sequence)
        return sequence
    }

    /// The first sequence found whose deadline has passed.
    package func overdue(at now: ContinuousClock.Instant) -> SequenceState? {
        func isOverdue(_ sequence: SequenceState) -> Bool { sequence.deadline.map { $0 <= now } ?? false }
        return waiting.first(where: isOverdue) ?? running.first(where: isOverdue) ?? restoring.first(where: isOverdue)
    }

    /// Fills `plan` with the next step.
    /// - Parameters:
    ///   - plan: the plan.
    ///   - promptRowLimit: the most rows of sequences more than one token behind, given how many sequences are one
    ///     token behind, and how many more. With none of the former there is at least one row all the same.
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
        let rowLimit = promptRowLimit(plannedSingleCount, running.count - plannedSingleCount)
        let limit = max(rowLimit, plannedSingleCount == 0 ? 1 : 0)
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
            archiveFullBlocks(sequence)
            for row in slice.firstLogitsRow..<slice.firstLogitsRow + slice.logitsCount {
                if let token = result.tokens[row] {
                    sequence.accept(token)
                } else {
                    sequence.finishReason = .error
                }
            }
            if sequence.finishReason != nil { giveBack(sequence) }
        }
        running.removeAll { $0.finishReason != nil }
    }

    // MARK: - Admission

    /// Moves sequences from the queue to the running ones, by rank, while there is room; nobody overtakes one that
    /// waits for blocks.
    private mutating func admit() {
        if limits.batching == .static, activeCount > 0 { return }
        var index = 0
        while index < waiting.count, activeCount < limits.maximumSequenceCount {
            let sequence = waiting[index]
            let matchCount = cache.matchCount(sequence.tokens)
            if isComputed(byAnother: sequence, from: matchCount) {
                index += 1
                continue
            }
            guard start(sequence) else { break }
            waiting.remove(at: index)
        }
    }

    /// Shares the blocks there are and allocates those for the rest of the known tokens, leaving one for each sequence
    /// under way to grow into; then the sequence runs, or what the archive has of the rest is restored first.
    /// - Returns: whether there was room.
    private mutating func start(_ sequence: SequenceState) -> Bool {
        sequence.place = cache.share(sequence.tokens, into: &sequence.blocks)
        sequence.knownBlockCount = sequence.blocks.count
        let neededCount = limits.blockCount(forPositions: sequence.tokens.count) - sequence.blocks.count
        var blocks: [Int32] = []
        guard neededCount + activeCount <= cache.availableCount, cache.allocate(neededCount, into: &blocks) else {
            cache.release(&sequence.blocks)
            return false
        }
        let storedCount = archivedBlockCount(sequence)
        if storedCount > 0 {
            restore(sequence, count: storedCount, into: blocks)
        } else {
            run(sequence, with: blocks)
        }
        return true
    }

    /// Puts a sequence among the running ones, with a slot and the blocks it needs beyond those it has.
    private mutating func run(_ sequence: SequenceState, with blocks: [Int32]) {
        sequence.blocks.append(contentsOf: blocks)
        sequence.slot = freeSlots.removeLast()
        sequence.start(cachedCount: sequence.knownBlockCount * limits.blockLength)
        cachedTokenCount += sequence.computedCount
        Self.insert(sequence, into: &running)
    }

    /// Whether a running sequence is at work on the next full block of a waiting one: to wait for it is quicker than to
    /// compute it twice.
    private func isComputed(byAnother sequence: SequenceState, from matchCount: Int) -> Bool {
        let end = (matchCount + 1) * limits.blockLength
        guard limits.cachesPrefixes, sequence.tokens.count > end else { return false }
        func isAt(_ other: SequenceState) -> Bool {
            other.tokens.count >= end && other.computedCount < end && other.pendingCount > 1
                && other.tokens[..<end] == sequence.tokens[..<end]
        }
        return running.contains(where: isAt) || restoring.contains(where: isAt)
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
        giveBack(sequence)
        sequence.restart()
        Self.insert(sequence, into: &waiting)
        preemptionCount += 1
    }

    /// Gives rows to the sequences that are more than one token behind: half of them evenly, so that each goes on, the other
    /// half to those that have the fewest left, which are then done early at little cost to the others.
    private mutating func planPrompts(into plan: inout StepPlan, rowLimit: Int) {
        let evenCount = planEvenRows(rowLimit - rowLimit / 2)
        planShortestFirst(rowLimit - evenCount)
        for sequence in running where sequence.plannedCount > 0 {
            append(sequence, rowCount: sequence.plannedCount, to: &plan)
            sequence.plannedCount = 0
        }
    }

    /// Each prompt gets up to the level at which all rows are used.
    /// - Returns: how many rows were used.
    private mutating func planEvenRows(_ rowCount: Int) -> Int {
        var left = rowCount
        var level = 0
        while left > 0 {
            var unsatisfiedCount = 0
            for sequence in running where sequence.isPrompt && sequence.pendingCount > level { unsatisfiedCount += 1 }
            if unsatisfiedCount == 0 { break }
            // Fewer rows than sequences: one each, by rank.
            let step = max(1, left / unsatisfiedCount)
            for sequence in running where sequence.isPrompt && sequence.pendingCount > level {
                let more = min(step, sequence.pendingCount - level, left)
                sequence.plannedCount += more
                left -= more
            }
            level += step
        }
        return rowCount - left
    }

    /// The prompts of the highest priority with the fewest rows left get all they want, as far as rows go.
    private mutating func planShortestFirst(_ rowCount: Int) {
        var left = rowCount
        while left > 0 {
            var next: SequenceState?
            for sequence in running where sequence.isPrompt && sequence.unplannedCount > 0 {
                guard let best = next else {
                    next = sequence
                    continue
                }
                if (best.priority, sequence.unplannedCount) < (sequence.priority, best.unplannedCount) {
                    next = sequence
                }
            }
            guard let next else { break }
            let more = min(left, next.unplannedCount)
            next.plannedCount += more
            left -= more
        }
    }

    private mutating func append(_ sequence: SequenceState, rowCount: Int, to plan: inout StepPlan) {
        let position = sequence.computedCount
        plan.append(
            tokens: sequence.tokens[position..<position + rowCount],
            position: position,
            logitsCount: rowCount == sequence.pendingCount ? 1 : 0,
            blocks: sequence.blocks,
            slot: sequence.slot
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

    /// Frees a running sequence's blocks and its slot.
    private mutating func giveBack(_ sequence: SequenceState) {
        freeSlots.append(sequence.slot)
        sequence.slot = -1
        if let archive, sequence.knownBlockCount > 0 {
            archive.touch(Array(sequence.names(count: sequence.knownBlockCount, blockLength: limits.blockLength)))
        }
        cache.release(&sequence.blocks)
    }

    // MARK: - The archive

    /// How many full blocks after a waiting sequence's shared ones the archive seems to have; at least the last token
    /// is left to compute.
    private func archivedBlockCount(_ sequence: SequenceState) -> Int {
        guard let archive else { return 0 }
        let fullCount = (sequence.tokens.count - 1) / limits.blockLength
        let names = sequence.names(count: fullCount, blockLength: limits.blockLength)
        return names.dropFirst(sequence.knownBlockCount).prefix { archive.mayRestore($0) }.count
    }

    /// Orders the first `count` of `blocks` to be filled.
    private mutating func restore(_ sequence: SequenceState, count: Int, into blocks: [Int32]) {
        let isUnwanted = AtomicFlag()
        let known = sequence.knownBlockCount
        restorations[sequence.id] = Restoration(sequence: sequence, blocks: blocks, isUnwanted: isUnwanted)
        Self.insert(sequence, into: &restoring)
        archive?.restore(
            RestoreOrder(
                id: sequence.id,
                names: Array(sequence.names(count: known + count, blockLength: limits.blockLength)[known...]),
                blocks: Array(blocks[..<count]),
                tokens: Array(sequence.tokens[..<((known + count) * limits.blockLength)]),
                start: known * limits.blockLength,
                isUnwanted: isUnwanted
            )
        )
    }

    /// Takes the blocks of a restoration that is over: the first `count` hold what they should and become known.
    ///
    /// Its sequence goes on with computing the rest; if it has ended meanwhile, what was restored stays for others.
    package mutating func finishRestoring(id: Int, count: Int) {
        guard var restoration = restorations.removeValue(forKey: id) else { return }
        let sequence = restoration.sequence
        let first = sequence.knownBlockCount
        for number in 0..<count {
            let start = (first + number) * limits.blockLength
            let tokens = sequence.tokens[start..<start + limits.blockLength]
            sequence.place = cache.add(&restoration.blocks[number], holding: tokens, after: sequence.place)
        }
        sequence.knownBlockCount += count
        guard let index = restoring.firstIndex(where: { $0 === sequence }) else {
            return cache.release(&restoration.blocks)
        }
        restoring.remove(at: index)
        run(sequence, with: restoration.blocks)
        restoredTokenCount += count * limits.blockLength
    }

    /// Gives the archive the full blocks that it has not, those at the start first; what it has no time for now may come
    /// after the next step.
    private mutating func archiveFullBlocks(_ sequence: SequenceState) {
        guard let archive, sequence.archivedBlockCount < sequence.knownBlockCount else { return }
        let names = sequence.names(count: sequence.knownBlockCount, blockLength: limits.blockLength)
        // One copy for all blocks: sharing the sequence's own array would make its next token a copy.
        var tokens: [Int32] = []
        while sequence.archivedBlockCount < sequence.knownBlockCount {
            let number = sequence.archivedBlockCount
            switch archive.saving(of: names[number]) {
            case .full: return
            case .done: break
            case .wanted:
                if tokens.isEmpty {
                    tokens = Array(sequence.tokens[..<(sequence.knownBlockCount * limits.blockLength)])
                }
                let block = sequence.blocks[number]
                cache.retain(block)
                savingCount += 1
                let end = (number + 1) * limits.blockLength
                archive.save(SaveOrder(name: names[number], block: block, tokens: tokens, tokenCount: end))
            }
            sequence.archivedBlockCount += 1
        }
    }

    /// Takes back a block that has been saved, or could not be.
    package mutating func finishSaving(_ block: Int32) {
        savingCount -= 1
        cache.release(block)
    }

    private static func insert(_ sequence: SequenceState, into sequences: inout [SequenceState]) {
        let index = sequences.firstIndex { sequence.precedes($0) } ?? sequences.count
        sequences.insert(sequence, at: index)
    }
}
