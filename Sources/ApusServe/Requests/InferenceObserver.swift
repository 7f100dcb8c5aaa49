import Apus

/// What a request's course is reported to: metrics, and what the key may still use.
struct InferenceObserver: Sendable {
    let metrics: Metrics
    let ticket: Admission.Ticket
    /// When the request came in.
    let arrival: ContinuousClock.Instant

    /// Notes a piece of an answer.
    func observe(_ piece: TextGeneration.Piece, _ clock: inout AnswerClock) {
        let now = ContinuousClock.now
        if !piece.tokens.isEmpty {
            ticket.spend(piece.tokens.count)
            if let last = clock.lastToken {
                metrics.observe(.tokenGap, last.duration(to: now))
            } else {
                metrics.observe(.firstToken, arrival.duration(to: now))
            }
            clock.lastToken = now
        }
        guard let timings = piece.summary?.timings else { return }
        metrics.observe(.queue, timings.queue)
        metrics.count(timings, preparation: arrival.duration(to: clock.submitted), total: arrival.duration(to: now))
    }

    /// Notes the end of an answered request.
    func finish(_ usage: Inference.Usage) {
        metrics.count(usage)
        ticket.close()
    }

    /// Notes the end of one that failed or was cancelled.
    func fail(_ error: any Error) {
        if error is CancellationError { metrics.countCancellation() }
        ticket.close()
    }
}

/// An answer's clock readings.
struct AnswerClock: Sendable {
    /// When the engine got the request.
    let submitted: ContinuousClock.Instant
    /// When the last token came.
    var lastToken: ContinuousClock.Instant?
}
