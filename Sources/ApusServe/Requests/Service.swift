import Apus
import ApusChat
import ApusCore
import ApusEngine
import ApusTokenizers
import Synchronization

/// What serves requests, whatever dialect and transport they came by: the models, and what bounds and counts their use.
///
/// Thread-safe.
package final class Service: Sendable {
    package let registry: ModelRegistry
    package let admission: Admission
    package let metrics = Metrics()
    private let preparation = WorkQueue("prepare")
    private let embedding = WorkQueue("embed")
    private let draining = Mutex<ContinuousClock.Instant?>(nil)
    private let grammars = GrammarCache()

    package init(registry: ModelRegistry, admission: Admission) {
        self.registry = registry
        self.admission = admission
    }

    /// Whether new work is taken.
    package var isReady: Bool { draining.withLock { $0 == nil } }

    /// When the service was told to take no new work; now if it wasn't.
    package var drainStart: ContinuousClock.Instant { draining.withLock { $0 ?? .now } }

    /// Takes no new work from now on.
    package func drain() { draining.withLock { $0 = $0 ?? .now } }

    // MARK: Models

    /// A model by name, loaded if need be; while a request waits for that, it counts as one that is under way.
    /// - Throws: `ServiceError`: `unknownModel`, what `Admission` refuses, `failed` if it cannot be loaded.
    func model(named name: String?, for caller: Caller) async throws -> ServedModel {
        let number = try registry.number(of: name)
        if let served = registry.loaded(number) { return served }
        guard isReady else { throw ServiceError(.shuttingDown, "the server is shutting down") }
        let ticket = try admission.admit(caller, sequenceCount: 1)
        defer { ticket.close() }
        do {
            return try await registry.model(number)
        } catch let error as ApusError {
            // Where and how is for those who run the server: its log has it.
            let id = registry.entries[number].id
            throw ServiceError(.failed, "\(id) could not be loaded (\(error.code)); the server's log says why")
        }
    }

    // MARK: Generation

    /// Starts generating.
    /// - Parameters:
    ///   - request: what to generate.
    ///   - served: the model.
    ///   - call: who asks.
    ///   - promptField: the dialect's name of the prompt, for messages.
    /// - Throws: `ServiceError` for what cannot be done, before anything is computed.
    package func start(
        _ request: InferenceRequest,
        on served: ServedModel,
        for call: Call,
        promptField: String
    ) async throws -> Inference {
        guard isReady else { throw ServiceError(.shuttingDown, "the server is shutting down") }
        let ticket = try admission.admit(call.caller, sequenceCount: request.sequenceCount)
        let observer = InferenceObserver(metrics: metrics, ticket: ticket, arrival: call.arrival)
        do {
            let prompts = try await preparation.run { try request.prompts.map { try served.prepare($0) } }
            let echoes = try await echoes(request, prompts.map(\.tokens), on: served)
            let constraint = try await constraint(
                request,
                on: served,
                beginsThinking: prompts.contains(where: \.beginsThinking)
            )
            return try Inference(
                served,
                prompts: prompts,
                request: request,
                constraint: constraint,
                echoes: echoes,
                observer: observer
            )
        } catch let error as ApusError {
            ticket.close()
            throw ServiceError(error, field: error.code == .invalidArgument ? nil : promptField)
        } catch {
            ticket.close()
            throw error
        }
    }

    /// The prompts as their answers begin with them; none unless they are to.
    private func echoes(_ request: InferenceRequest, _ prompts: [[Int32]], on served: ServedModel) async throws
        -> [Echo]
    {
        guard request.echoesPrompt else { return [] }
        var echoes = request.prompts.map { Echo($0, served) }
        guard let alternativeCount = request.echoAlternativeCount else { return echoes }
        // A prompt that does not fit is the engine's to refuse.
        for (index, prompt) in prompts.enumerated() where prompt.count < served.model.engine.contextLength {
            // One at a time, so that another request's turn comes in between.
            echoes[index] = try await embedding.run { [echo = echoes[index]] in
                var echo = echo
                try echo.score(prompt, on: served, alternativeCount: alternativeCount)
                return echo
            }
        }
        return echoes
    }

    /// What keeps answers to a request's shape; nil where there is nothing to keep to.
    private func constraint(
        _ request: InferenceRequest,
        on served: ServedModel,
        beginsThinking: Bool
    ) async throws -> (any TokenConstraint)? {
        guard !request.shape.isAnything else { return nil }
        let isConversation = request.prompts.contains { $0.isConversation }
        let thoughts: Thoughts =
            !isConversation ? .none : beginsThinking ? .begun : served.model.mayThink ? .possible : .none
        return try await preparation.run { [grammars] in
            do {
                let format = served.model.toolCallFormat
                return try served.model.constraint(grammars.grammar(request.shape, format: format, thoughts: thoughts))
            } catch let error as ApusError {
                throw ServiceError(error, field: request.shapeField)
            }
        }
    }

    // MARK: Text

    /// Does work on a model's tokenizer or template that may take a while.
    package func prepare<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        do {
            return try await preparation.run(body)
        } catch let error as ApusError {
            throw ServiceError(error)
        }
    }

    // MARK: Embeddings

    /// The embeddings of texts, each of length 1, and how many tokens they have.
    package func embed(
        _ inputs: [InferenceRequest.Prompt],
        on served: ServedModel,
        for call: Call
    ) async throws -> (vectors: [[Float]], tokenCount: Int) {
        guard isReady else { throw ServiceError(.shuttingDown, "the server is shutting down") }
        let ticket = try admission.admit(call.caller, sequenceCount: 1)
        defer { ticket.close() }
        do {
            let tokens = try await preparation.run { try inputs.map { try served.prepare($0).tokens } }
            var vectors: [[Float]] = []
            // One at a time, so that another request's turn comes in between.
            for input in tokens {
                vectors.append(try await embedding.run { try served.model.embedding(of: input).normalized })
            }
            let tokenCount = tokens.reduce(0) { $0 + $1.count }
            ticket.spend(tokenCount)
            return (vectors, tokenCount)
        } catch let error as ApusError {
            throw ServiceError(error, field: "input")
        }
    }
}

extension [Float] {
    /// The vector scaled to length 1; a zero vector as it is.
    fileprivate var normalized: [Float] {
        let length = reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        return length > 0 ? map { Float(Double($0) / length) } : self
    }
}
