package import ApusNN

/// Decides what runs now: turns known but uncomputed tokens of many sequences into steps.
///
/// A step takes first one row of every sequence that is a single token behind, then, oldest first, rows of the others
/// up to the chunk length. So a long prompt never holds up sequences that are generating, and generating sequences
/// never starve a prompt. Sequences are admitted in order of submission, when blocks for all positions they may ever
/// have are free; the one at the head waits, and nobody overtakes it.
///
/// Between `plan` and `commit` nothing is allocated. Not thread-safe: the step loop owns it.
package struct Scheduler {
    /// The sizes it keeps to.
    package let limits: SchedulerLimits
    /// The KV blocks.
    package private(set) var pool: BlockPool
    /// Sequences without blocks, in order of submission.
    package private(set) var waiting: [SequenceState] = []
    /// Sequences with blocks, in order of admission.
    package private(set) var running: [SequenceState] = []
    /// The sequence of each slice of the last plan.
    package private(set) var planned: [SequenceState] = []

    /// Creates a scheduler for a pool of `limits.blockCount` free blocks.
    package init(limits: SchedulerLimits) {
        self.limits = limits
        pool = BlockPool(blockCount: limits.blockCount)
        running.reserveCapacity(limits.maximumSequenceCount)
        planned.reserveCapacity(limits.maximumSequenceCount)
    }

    /// Whether no sequence is waiting or running.
    package var isIdle: Bool { waiting.isEmpty && running.isEmpty }

    /// Puts a sequence at the end of the queue.
    ///
    /// Its `tokenLimit` is at most `limits.maximumTokenCount`.
    package mutating func add(_ sequence: SequenceState) {
        precondition(sequence.tokenLimit <= limits.maximumTokenCount)
        waiting.append(sequence)
    }

    /// Ends a sequence between two steps and frees its blocks.
    /// - Returns: the sequence, or nil if it has ended already.
    package mutating func cancel(id: Int) -> SequenceState? {
        if let index = waiting.firstIndex(where: { $0.id == id }) {
            let sequence = waiting.remove(at: index)
            sequence.finishReason = .cancelled
            return sequence
        }
        guard let index = running.firstIndex(where: { $0.id == id }) else { return nil }
        let sequence = running.remove(at: index)
        sequence.finishReason = .cancelled
        pool.release(&sequence.blocks)
        return sequence
    }

    /// Fills `plan` with the next step.
    /// - Returns: whether there is anything to compute.
    package mutating func plan(into plan: inout StepPlan) -> Bool {
        plan.removeAll()
        planned.removeAll(keepingCapacity: true)
        admit()
        for sequence in running where sequence.pendingCount == 1 {
            append(sequence, rowCount: 1, to: &plan)
        }
        var chunk = min(limits.chunkLength, limits.maximumRowCount - plan.tokens.count)
        for sequence in running where sequence.pendingCount > 1 && chunk > 0 {
            let rowCount = min(sequence.pendingCount, chunk)
            append(sequence, rowCount: rowCount, to: &plan)
            chunk -= rowCount
        }
        return !planned.isEmpty
    }

    /// Takes the last plan's result: computed positions advance, tokens are added, ended sequences free their blocks.
    ///
    /// The sequences stay in `planned` until the next plan, for whoever delivers their tokens.
    package mutating func commit(_ plan: borrowing StepPlan, _ result: borrowing StepResult) {
        precondition(result.tokens.count == plan.logitsRowCount)
        for index in planned.indices {
            let sequence = planned[index]
            let slice = plan.slices[index]
            sequence.markComputed(slice.rows.count)
            for row in slice.firstLogitsRow..<slice.firstLogitsRow + slice.logitsCount {
                if let token = result.tokens[row] {
                    sequence.accept(token)
                } else {
                    sequence.finishReason = .error
                }
            }
            if sequence.finishReason != nil { pool.release(&sequence.blocks) }
        }
        running.removeAll { $0.finishReason != nil }
    }

    /// Moves sequences from the queue's head to the running ones while there is room.
    private mutating func admit() {
        var admittedCount = 0
        while admittedCount < waiting.count, running.count < limits.maximumSequenceCount {
            let sequence = waiting[admittedCount]
            let blockCount = limits.blockCount(forPositions: sequence.positionLimit)
            guard pool.allocate(blockCount, into: &sequence.blocks) else { break }
            running.append(sequence)
            admittedCount += 1
        }
        if admittedCount > 0 { waiting.removeFirst(admittedCount) }
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
}
