internal import ApusCore
package import ApusNN

/// The engine's work, one step at a time: what a dedicated thread repeats, and what tests and measurements may drive
/// by hand.
///
/// A step is `plan`, `compute`, `commit`, in which a decode step allocates nothing, then `deliver`. Not thread-safe.
package final class StepLoop {
    private let runner: any StepRunning
    private let vocabularySize: Int
    /// What runs now, and where.
    package private(set) var scheduler: Scheduler
    private var plan: StepPlan
    private var result: StepResult
    private var candidates: Candidates
    /// Requests waiting or running, by number.
    private var generations: [Int: ActiveGeneration] = [:]
    private var stepStart = ContinuousClock.now
    private var pacer: StepPacer
    private var statistics = EngineStatistics()
    private let board: StatisticsBoard?
    /// Whether the last plan was empty.
    private var isWaiting = false

    /// Creates a loop over a runner, with memory for steps of any size that `limits` allow.
    /// - Parameters:
    ///   - runner: what computes.
    ///   - limits: the sizes to keep to.
    ///   - maximumStepDuration: how long a step should last at most.
    ///   - archive: where full blocks last longer than in the pool.
    ///   - board: where statistics go after each step.
    package init(
        runner: any StepRunning,
        limits: SchedulerLimits,
        maximumStepDuration: Duration? = nil,
        archive: (any BlockArchive)? = nil,
        board: StatisticsBoard? = nil
    ) {
        pacer = StepPacer(limit: maximumStepDuration)
        self.board = board
        self.runner = runner
        vocabularySize = runner.vocabularySize
        scheduler = Scheduler(limits: limits, archive: archive)
        plan = StepPlan(
            rowCapacity: limits.maximumRowCount,
            sliceCapacity: limits.maximumSequenceCount,
            blockCapacity: limits.blockCount
        )
        result = StepResult(capacity: limits.maximumSequenceCount)
        candidates = Candidates(vocabularySize: runner.vocabularySize)
    }

    /// Whether there is nothing to do until someone asks for something, or the archive has done its part.
    package var isIdle: Bool { scheduler.isIdle || isWaiting && scheduler.awaitsArchive }

    /// Takes a request that has been checked against the limits.
    package func add(_ request: SubmittedRequest) {
        let limits = scheduler.limits
        let prompt = request.request.prompt
        let room = limits.maximumTokenCount - prompt.count
        let tokenLimit = prompt.count + min(room, request.request.maximumTokenCount ?? room)
        let sequence = SequenceState(
            id: request.id,
            prompt: prompt,
            tokenLimit: tokenLimit,
            endTokens: request.request.ignoresEndOfGeneration ? [] : request.request.endTokens,
            blockCount: limits.blockCount(forPositions: tokenLimit),
            priority: request.request.priority,
            deadline: request.request.timeLimit.map { request.submitted.advanced(by: $0) }
        )
        generations[request.id] = ActiveGeneration(
            sequence: sequence,
            request: request,
            tokenLimit: tokenLimit,
            vocabularySize: vocabularySize
        )
        scheduler.add(sequence)
    }

    /// Ends a request between two steps; its blocks are free at once.
    ///
    /// One that has ended is ignored.
    package func cancel(id: Int) { end(id: id, reason: .cancelled) }

    private func end(id: Int, reason: FinishReason) {
        guard scheduler.end(id: id, reason: reason) != nil else { return }
        generations.removeValue(forKey: id)?.finish(.now)
    }

    /// Ends all requests.
    package func cancelAll() {
        for id in generations.keys.sorted() { cancel(id: id) }
        postStatistics()
    }

    /// Takes the outcome of an order to restore blocks.
    package func finishRestoring(id: Int, count: Int) { scheduler.finishRestoring(id: id, count: count) }

    /// Takes the outcome of an order to save a block.
    package func finishSaving(_ block: Int32, byteCount: Int) {
        scheduler.finishSaving(block)
        guard byteCount > 0 else { return }
        statistics.savedBlockCount += 1
        statistics.savedByteCount += byteCount
    }

    /// Ends the requests whose time is up.
    package func endOverdue() {
        while let sequence = scheduler.overdue(at: .now) { end(id: sequence.id, reason: .deadline) }
    }

    /// Fills the plan of the next step.
    /// - Returns: whether there is a step to compute.
    package func planStep() -> Bool {
        stepStart = .now
        return scheduler.plan(into: &plan) { pacer.promptRowLimit(singleCount: $0, promptCount: $1) }
    }

    /// Computes the planned step and chooses a token for every row of logits.
    package func computeStep() {
        for sequence in scheduler.planned { generations[sequence.id]?.noteStart(stepStart) }
        runner.run(plan)
        result.removeAll()
        for index in plan.slices.indices {
            let slice = plan.slices[index]
            guard slice.logitsCount > 0, let generation = generations[scheduler.planned[index].id] else { continue }
            let token = runner.withLogits(row: slice.firstLogitsRow) { generation.sample(&$0, &candidates) }
            result.append(token)
        }
    }

    /// Takes the tokens into their sequences.
    package func commitStep() {
        scheduler.commit(plan, result)
        note(stepStart.duration(to: .now))
    }

    /// Hands the step's tokens to the requests' streams, which never block.
    package func deliver() {
        let now = ContinuousClock.now
        for sequence in scheduler.planned {
            generations[sequence.id]?.deliver(now)
            if sequence.finishReason != nil { generations.removeValue(forKey: sequence.id) }
        }
    }

    /// Does one whole step, if there is anything to do.
    package func step() {
        endOverdue()
        isWaiting = !planStep()
        if !isWaiting {
            computeStep()
            commitStep()
        }
        // Before anyone has the last token: whoever has seen an answer end finds it counted.
        postStatistics()
        if !isWaiting { deliver() }
    }

    private func note(_ duration: Duration) {
        let rowCount = plan.tokens.count
        let singleCount = scheduler.plannedSingleCount
        pacer.note(singleCount: singleCount, promptRowCount: rowCount - singleCount, duration: duration)
        statistics.stepCount += 1
        statistics.computedRowCount += rowCount
        statistics.stepDuration += duration
        statistics.lastStepDuration = duration
        statistics.lastStepRowCount = rowCount
    }

    private func postStatistics() {
        guard let board else { return }
        statistics.waitingCount = scheduler.waiting.count
        statistics.runningCount = scheduler.running.count
        statistics.blockCount = scheduler.cache.blockCount
        statistics.availableBlockCount = scheduler.cache.availableCount
        statistics.cachedBlockCount = scheduler.cache.idleCount
        statistics.cachedTokenCount = scheduler.cachedTokenCount
        statistics.restoredTokenCount = scheduler.restoredTokenCount
        statistics.preemptionCount = scheduler.preemptionCount
        board.post(statistics)
    }
}
