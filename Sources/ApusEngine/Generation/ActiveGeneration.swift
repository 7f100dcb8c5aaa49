internal import ApusCore

/// A request under way: its sequence, what chooses its tokens, its clock readings and where its events go.
///
/// Not thread-safe: the step loop owns it.
final class ActiveGeneration {
    typealias Stream = AsyncThrowingStream<GenerationEvent, any Error>

    let sequence: SequenceState
    let seed: UInt64
    private var sampler: TokenSampler
    private var constraint: (any TokenConstraint)?
    /// What the constraint says is wrong.
    private var failure: (any Error)?
    private var recorder: LogprobRecorder?
    private let stream: Stream.Continuation

    private let submitted: ContinuousClock.Instant
    private var started: ContinuousClock.Instant?
    private var firstToken: ContinuousClock.Instant?
    private var lastToken: ContinuousClock.Instant?
    private var deliveredCount = 0
    private var isAnnounced = false

    init(sequence: SequenceState, request: SubmittedRequest, tokenLimit: Int, vocabularySize: Int) {
        self.sequence = sequence
        seed = request.seed
        stream = request.stream
        submitted = request.submitted
        sampler = TokenSampler(
            request.request.sampling,
            seed: request.seed,
            prompt: request.request.prompt,
            tokenLimit: tokenLimit
        )
        constraint = request.request.constraint
        recorder = request.request.alternativeCount.map {
            LogprobRecorder(alternativeCount: $0, vocabularySize: vocabularySize)
        }
    }

    /// Chooses the token that follows the sequence's known ones; nil if the logits are not numbers or the constraint fails.
    func sample(_ logits: inout MutableSpan<Float>, _ candidates: inout Candidates) -> Int32? {
        recorder?.read(logits.span, candidates: &candidates)
        do {
            try constraint?.mask(&logits)
            let token = sampler.sample(&logits, index: sequence.generatedCount, candidates: &candidates)
            guard let token else { return nil }
            try constraint?.accept(token)
            sampler.accept(token)
            recorder?.record(token)
            return token
        } catch {
            failure = error
            return nil
        }
    }

    /// Notes that a step with this sequence begins.
    func noteStart(_ now: ContinuousClock.Instant) {
        if started == nil { started = now }
    }

    /// Hands over what a committed step gave.
    func deliver(_ now: ContinuousClock.Instant) {
        if !isAnnounced {
            isAnnounced = true
            stream.yield(.started(cachedTokenCount: cachedCount))
        }
        let hasToken = sequence.generatedCount > deliveredCount
        if hasToken || sequence.endToken != nil {
            if firstToken == nil { firstToken = now }
            lastToken = now
        }
        if hasToken, let token = sequence.tokens.last {
            deliveredCount += 1
            stream.yield(.token(token, logprobs: recorder?.recorded))
        }
        if sequence.finishReason != nil { finish(now) }
    }

    /// Hands over the summary and ends the stream.
    func finish(_ now: ContinuousClock.Instant) {
        let reason = sequence.finishReason ?? .cancelled
        stream.yield(.finished(summary(reason, now)))
        stream.finish(throwing: reason == .error ? failure ?? Self.notNumbers : nil)
    }

    private static let notNumbers = ApusError(
        .malformedFile,
        "logits: expected finite numbers, found NaN, an infinity or nothing but forbidden tokens: check the file's weights, "
            + "the logit bias and the grammar"
    )

    /// Tokens of the prompt that did not have to be computed; a preempted sequence may find some of its answer, too.
    private var cachedCount: Int { min(sequence.cachedCount, sequence.promptCount) }

    private func summary(_ reason: FinishReason, _ now: ContinuousClock.Instant) -> GenerationSummary {
        let started = started ?? now
        let firstToken = firstToken ?? now
        let chosenCount = sequence.generatedCount + (sequence.endToken == nil ? 0 : 1)
        let timings = GenerationTimings(
            queue: submitted.duration(to: started),
            prefill: started.duration(to: firstToken),
            decode: firstToken.duration(to: lastToken ?? firstToken),
            prefillTokenCount: max(0, min(sequence.computedCount, sequence.promptCount) - cachedCount),
            decodeTokenCount: max(0, chosenCount - 1)
        )
        return GenerationSummary(
            reason: reason,
            endToken: sequence.endToken,
            promptTokenCount: sequence.promptCount,
            cachedTokenCount: cachedCount,
            generatedTokenCount: sequence.generatedCount,
            seed: seed,
            timings: timings
        )
    }
}
