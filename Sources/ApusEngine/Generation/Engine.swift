package import ApusNN
internal import Synchronization

/// Generates tokens for many requests at once from one loaded model.
///
/// One thread of its own computes; it is parked while there are no requests. Each request's tokens equal those of a
/// lone run with the same seed, whatever else runs. Thread-safe. When the last reference goes, requests that are under
/// way end as cancelled.
///
/// ```swift
/// let request = GenerationRequest(prompt: ids, sampling: .greedy, maximumTokenCount: 32)
/// for try await event in try engine.submit(request) {
///     if case .token(let id, _) = event { print(id) }
/// }
/// ```
public final class Engine: Sendable {
    /// The tokens of one request, then its summary.
    ///
    /// It is buffered without bound, so a slow consumer never holds up the engine. Ending the iteration, or cancelling
    /// the task that iterates, cancels the request at the next step.
    public typealias Events = AsyncThrowingStream<GenerationEvent, any Error>

    /// The most tokens a sequence can have, prompt included.
    public let contextLength: Int
    /// Tokens in the vocabulary.
    public let vocabularySize: Int
    /// When its thread has ended and its memory is free.
    package let end = EngineEnd()
    private let inbox: EngineInbox
    private let board = StatisticsBoard()
    private let nextID = Atomic(0)

    /// Starts an engine; the runner belongs to its thread from now on.
    /// - Parameters:
    ///   - runner: what computes.
    ///   - configuration: how requests share it.
    ///   - store: where full blocks of the runner's outlive it.
    /// - Throws: `ApusError`: `invalidArgument` for a size outside its range, `outOfMemory` without a thread.
    package init(
        runner: sending any StepRunning,
        configuration: EngineConfiguration = EngineConfiguration(),
        store: PrefixStore? = nil
    ) throws {
        let limits = try configuration.limits(for: runner)
        contextLength = limits.maximumTokenCount
        vocabularySize = runner.vocabularySize
        let inbox = EngineInbox()
        self.inbox = inbox
        store?.connect { inbox.send(.stored($0)) }
        let loop = StepLoop(
            runner: runner,
            limits: limits,
            maximumStepDuration: configuration.maximumStepDuration,
            archive: store,
            board: board
        )
        try EngineThread.start(end: end) { Self.run(loop, inbox) }
    }

    /// What the engine has done up to its last step.
    public var statistics: EngineStatistics { board.latest }

    deinit { inbox.send(.close) }

    /// Takes a request.
    /// - Returns: its tokens as they come, then its summary.
    /// - Throws: `ApusError`: `contextFull` with the counts if the prompt leaves no room for a token,
    ///   `invalidArgument` naming field, range and value. What goes wrong later is thrown by the stream.
    public func submit(_ request: GenerationRequest) throws -> Events {
        try request.validate(vocabularySize: vocabularySize, maximumTokenCount: contextLength)
        let id = nextID.add(1, ordering: .relaxed).oldValue
        let (events, continuation) = Events.makeStream()
        continuation.onTermination = { [inbox] termination in
            if case .cancelled = termination { inbox.send(.cancel(id: id)) }
        }
        inbox.send(.submit(SubmittedRequest(id: id, request: request, stream: continuation)))
        return events
    }

    /// The thread's life: messages between steps, steps while there is work, parked otherwise.
    private static func run(_ loop: StepLoop, _ inbox: EngineInbox) {
        while true {
            for message in inbox.receive(isIdle: loop.isIdle) {
                switch message {
                case .submit(let request): loop.add(request)
                case .cancel(let id): loop.cancel(id: id)
                case .stored(.restored(let id, let count)): loop.finishRestoring(id: id, count: count)
                case .stored(.saved(let block, let byteCount)): loop.finishSaving(block, byteCount: byteCount)
                case .close:
                    loop.cancelAll()
                    return
                }
            }
            loop.step()
            EngineThread.yield()
        }
    }
}
