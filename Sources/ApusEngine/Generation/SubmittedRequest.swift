/// A checked request on its way to the step loop.
package struct SubmittedRequest: Sendable {
    /// The request's number.
    package let id: Int
    /// What to generate.
    package let request: GenerationRequest
    /// The seed in force.
    package let seed: UInt64
    /// When it was submitted.
    package let submitted: ContinuousClock.Instant
    /// Where its events go.
    package let stream: AsyncThrowingStream<GenerationEvent, any Error>.Continuation

    /// Numbers a request and settles its seed.
    package init(
        id: Int,
        request: GenerationRequest,
        stream: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
    ) {
        self.id = id
        self.request = request
        self.stream = stream
        seed = request.sampling.seed ?? UInt64.random(in: .min ... .max)
        submitted = .now
    }
}
