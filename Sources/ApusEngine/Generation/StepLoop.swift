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

    /// Creates a loop over a runner, with memory for steps of any size that `limits` allow.
    package init(runner: any StepRunning, limits: SchedulerLimits) {
        self.runner = runner
        vocabularySize = runner.vocabularySize
        scheduler = Scheduler(limits: limits)
        plan = StepPlan(
            rowCapacity: limits.maximumRowCount,
            sliceCapacity: limits.maximumSequenceCount,
            blockCapacity: limits.blockCount
        )
        result = StepResult(capacity: limits.maximumSequenceCount)
        candidates = Candidates(vocabularySize: runner.vocabularySize)
    }

    /// Whether there is nothing to do.
    package var isIdle: Bool { scheduler.isIdle }

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
            blockCount: limits.blockCount(forPositions: tokenLimit - 1)
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
    package func cancel(id: Int) {
        guard scheduler.cancel(id: id) != nil else { return }
        generations.removeValue(forKey: id)?.finish(.now)
    }

    /// Ends all requests.
    package func cancelAll() {
        for id in generations.keys.sorted() { cancel(id: id) }
    }

    /// Fills the plan of the next step.
    /// - Returns: whether there is a step to compute.
    package func planStep() -> Bool {
        stepStart = .now
        return scheduler.plan(into: &plan)
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
    }

    /// Hands the step's tokens to the requests' streams, which never block.
    package func deliver() {
        let now = ContinuousClock.now
        for sequence in scheduler.planned {
            generations[sequence.id]?.deliver(now)
            if sequence.finishReason != nil { generations.removeValue(forKey: sequence.id) }
        }
    }

    /// Does one whole step.
    package func step() {
        guard planStep() else { return }
        computeStep()
        commitStep()
        deliver()
    }
}
