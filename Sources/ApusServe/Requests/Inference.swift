package import Apus
import ApusCore
import ApusEngine

/// A request under way: the answers' pieces as they come, all answers mixed.
///
/// Iterate `events` once. Letting go of it, or `cancel()`, ends the generations at the engine's next step.
package struct Inference: Sendable {
    /// What happens.
    package enum Event: Sendable {
        /// A piece of an answer.
        case piece(choice: Int, TextGeneration.Piece)
        /// All answers are there.
        case finished(Usage)
    }

    /// The tokens a request took.
    package struct Usage: Sendable, Equatable {
        /// Of the prompts, each counted once.
        package var promptTokenCount = 0
        /// Of these, tokens that an earlier request had computed.
        package var cachedTokenCount = 0
        /// Of all answers.
        package var generatedTokenCount = 0

        package init() {}
    }

    package typealias Events = AsyncThrowingStream<Event, any Error>

    package let events: Events
    /// The prompts as they are echoed; empty without echo.
    package let echoes: [Echo]
    /// Whether the model is already thinking where its answers begin.
    package let beginsThinking: Bool
    private let task: Task<Void, Never>

    /// Ends the request as the client's wish.
    package func cancel() { task.cancel() }

    /// Submits generations to the engine.
    /// - Parameters:
    ///   - prompts: the prompts.
    ///   - request: how they are answered.
    ///   - constraint: what keeps the answers to the request's shape.
    ///   - observer: what is told about the request's course.
    /// - Throws: what the engine refuses.
    init(
        _ served: ServedModel,
        prompts: [ServedModel.PreparedPrompt],
        request: InferenceRequest,
        constraint: (any TokenConstraint)?,
        echoes: [Echo],
        observer: InferenceObserver
    ) throws {
        var generations: [TextGeneration] = []
        for prompt in prompts {
            for choice in 0..<request.choiceCount {
                generations.append(try Self.generation(served, prompt.tokens, choice, request, constraint))
            }
        }
        let promptTokenCount = prompts.reduce(0) { $0 + $1.tokens.count }
        observer.ticket.spend(promptTokenCount)
        let (events, continuation) = Events.makeStream()
        let started = generations
        task = Task {
            do {
                let usage = try await Self.run(started, request.choiceCount, promptTokenCount, observer, continuation)
                observer.finish(usage)
                continuation.yield(.finished(usage))
                continuation.finish()
            } catch {
                observer.fail(error)
                continuation.finish(throwing: error)
            }
        }
        continuation.onTermination = { [task] _ in task.cancel() }
        self.events = events
        self.echoes = echoes
        beginsThinking = prompts.contains { $0.beginsThinking }
    }

    private static func generation(
        _ served: ServedModel,
        _ prompt: [Int32],
        _ choice: Int,
        _ request: InferenceRequest,
        _ constraint: (any TokenConstraint)?
    ) throws -> TextGeneration {
        var sampling = request.sampling
        // Each answer of its own, the first the one that a lone request gives.
        sampling.seed = sampling.seed.map { $0 &+ UInt64(choice) }
        let generation = GenerationRequest(
            prompt: prompt,
            sampling: sampling,
            maximumTokenCount: request.maximumTokenCount,
            endTokens: served.model.tokenizer.endOfGeneration,
            alternativeCount: request.alternativeCount,
            constraint: constraint
        )
        return try served.model.generate(generation, stop: request.stop)
    }

    /// Forwards the pieces of all generations until the last one ends.
    private static func run(
        _ generations: [TextGeneration],
        _ choiceCount: Int,
        _ promptTokenCount: Int,
        _ observer: InferenceObserver,
        _ continuation: Events.Continuation
    ) async throws -> Usage {
        let submitted = ContinuousClock.now
        var usage = Usage()
        usage.promptTokenCount = promptTokenCount
        try await withThrowingTaskGroup(of: (Int, TextGeneration.Summary).self) { group in
            for (index, generation) in generations.enumerated() {
                group.addTask {
                    try await (
                        index, forward(generation, choice: index, submitted: submitted, observer, continuation)
                    )
                }
            }
            for try await (index, summary) in group {
                usage.generatedTokenCount += summary.generatedTokenCount
                // Of a prompt's answers the first counts: the others share what it computed.
                if index % choiceCount == 0 { usage.cachedTokenCount += summary.cachedTokenCount }
            }
        }
        return usage
    }

    private static func forward(
        _ generation: TextGeneration,
        choice: Int,
        submitted: ContinuousClock.Instant,
        _ observer: InferenceObserver,
        _ continuation: Events.Continuation
    ) async throws -> TextGeneration.Summary {
        var clock = AnswerClock(submitted: submitted)
        for try await piece in generation {
            observer.observe(piece, &clock)
            continuation.yield(.piece(choice: choice, piece))
            if let summary = piece.summary {
                if summary.reason == .cancelled { throw CancellationError() }
                return summary
            }
        }
        throw CancellationError()
    }
}
