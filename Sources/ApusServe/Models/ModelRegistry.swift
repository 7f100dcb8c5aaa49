package import Apus
import ApusCore
import ApusFormats
import Synchronization

/// The models that a server serves: loaded when they are asked for, unloaded when they are idle or others need the memory.
///
/// Loading and unloading happen on a thread of their own, one after another. Thread-safe.
package final class ModelRegistry: Sendable {
    /// A model that can be served.
    package struct Entry: Sendable {
        package let id: String
        /// What it takes when it is loaded.
        package let plan: MemoryPlan
        /// Loads it on the calling thread.
        let load: @Sendable () throws -> Model

        package init(id: String, plan: MemoryPlan, load: @escaping @Sendable () throws -> Model) {
            self.id = id
            self.plan = plan
            self.load = load
        }
    }

    private struct State {
        var shelf: ModelShelf
        var models: [Model?]
        var details: [ModelDetails?]
        var loadCounts: [Int]
        /// Slots whose idle time somebody watches.
        var watched: Set<Int> = []
        var waiters: [Int: CheckedContinuation<ServedModel, any Error>] = [:]
        var waiterCount = 0
    }

    /// In the order of the command line, at least one.
    package let entries: [Entry]
    /// Bytes that the loaded ones may take together.
    package let byteLimit: Int
    /// When the server began, in seconds since 1970.
    package let created = WallClock.secondsSince1970
    private let keepAlive: KeepAlive
    private let log: @Sendable (String) -> Void
    private let state: Mutex<State>
    private let loading = WorkQueue("load")

    /// - Parameters:
    ///   - entries: the models, at least one.
    ///   - byteLimit: bytes that the loaded ones may take together; each fits alone.
    ///   - keepAlive: how long a model stays loaded after its last request.
    ///   - log: takes a line for each model that comes or goes.
    package init(
        _ entries: [Entry],
        byteLimit: Int,
        keepAlive: KeepAlive = .forever,
        log: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.entries = entries
        self.byteLimit = byteLimit
        self.keepAlive = keepAlive
        self.log = log
        state = Mutex(
            State(
                shelf: ModelShelf(byteCounts: entries.map(\.plan.total), byteLimit: byteLimit),
                models: Array(repeating: nil, count: entries.count),
                details: Array(repeating: nil, count: entries.count),
                loadCounts: Array(repeating: 0, count: entries.count)
            )
        )
    }

    // MARK: Names

    /// The number of a model by name; with one model, requests need not name it.
    /// - Throws: `ServiceError` (`unknownModel`) with the names there are.
    package func number(of name: String?) throws -> Int {
        let names = entries.map(\.id).joined(separator: ", ")
        guard let name else {
            if entries.count == 1 { return 0 }
            throw ServiceError(.invalidRequest, "model: is missing; there are: \(names)", field: "model")
        }
        guard let number = entries.firstIndex(where: { $0.id == name }) else {
            throw ServiceError(
                .unknownModel,
                "model: there is no \(name.quotedForMessage); there are: \(names)",
                field: "model"
            )
        }
        return number
    }

    // MARK: Uses

    /// The model of a number if it can be used at once.
    package func loaded(_ number: Int) -> ServedModel? {
        state.withLock { state in
            state.shelf.use(number) ? served(number, state) : nil
        }
    }

    /// Waits for the model of a number: until it is loaded, and until there is memory for that.
    /// - Throws: why it could not be loaded; `CancellationError`.
    package func model(_ number: Int) async throws -> ServedModel {
        let waiter = state.withLock { state in
            state.waiterCount += 1
            return state.waiterCount
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = update { state in
                    // Cancelled before it was in line, it would never be taken out of it.
                    if Task.isCancelled { return true }
                    state.waiters[waiter] = continuation
                    state.shelf.wait(waiter, for: number)
                    return false
                }
                if isCancelled { continuation.resume(throwing: CancellationError()) }
            }
        } onCancel: {
            let continuation = update { state in
                state.shelf.withdraw(waiter) ? state.waiters.removeValue(forKey: waiter) : nil
            }
            continuation?.resume(throwing: CancellationError())
        }
    }

    /// Loads models in their order, as far as they fit beside each other; none if they would not stay.
    /// - Throws: why one could not be loaded.
    package func loadAtStart() async throws {
        guard keepAlive.duration != .zero else { return }
        for number in entries.indices where state.withLock({ $0.shelf.hasRoom(for: number) }) {
            _ = try await model(number)
        }
    }

    private func served(_ number: Int, _ state: borrowing State) -> ServedModel? {
        state.models[number].map { model in
            ServedModel(id: entries[number].id, model: model, lease: ModelLease { self.giveBack(number) })
        }
    }

    private func giveBack(_ number: Int) {
        update { $0.shelf.giveBack(number, now: .now) }
        watch(number)
    }

    // MARK: Changes

    /// Changes the state and does what follows from it.
    @discardableResult
    private func update<Result>(_ change: (inout State) -> Result) -> Result {
        var grants: [(CheckedContinuation<ServedModel, any Error>, ServedModel)] = []
        var actions: [ModelShelf.Action] = []
        let result = state.withLock { state in
            let result = change(&state)
            actions = state.shelf.advance()
            for case .grant(let waiter, let slot) in actions {
                guard let continuation = state.waiters.removeValue(forKey: waiter), let model = served(slot, state)
                else { continue }
                grants.append((continuation, model))
            }
            return result
        }
        for (continuation, model) in grants { continuation.resume(returning: model) }
        for action in actions { perform(action) }
        return result
    }

    private func perform(_ action: ModelShelf.Action) {
        switch action {
        case .load(let number): Task { await load(number) }
        case .unload(let number): Task { await unload(number) }
        case .grant: break
        }
    }

    private func load(_ number: Int) async {
        let entry = entries[number]
        let start = ContinuousClock.now
        do {
            let model = try await loading.run(entry.load)
            log("loaded \(entry.id) in \(Int(start.duration(to: .now).seconds * 1000)) ms")
            update { state in
                state.models[number] = model
                state.details[number] = ModelDetails(model)
                state.loadCounts[number] += 1
                state.shelf.finishLoading(number, now: .now)
            }
            watch(number)
        } catch {
            log("cannot load \(entry.id): \(error)")
            let waiters = update { state in
                state.shelf.failLoading(number).compactMap { state.waiters.removeValue(forKey: $0) }
            }
            for waiter in waiters { waiter.resume(throwing: error) }
        }
    }

    /// Lets go of a model that nobody uses, and waits until its memory is free.
    private func unload(_ number: Int) async {
        // Never cancelled, so it never throws.
        try? await loading.run { [self] in takeOut(number)?.wait() }
        log("unloaded \(entries[number].id)")
        update { $0.shelf.finishUnloading(number) }
    }

    /// Takes the last reference to a model.
    /// - Returns: the end of its engine.
    private func takeOut(_ number: Int) -> EngineEnd? {
        let model = state.withLock { state in
            defer { state.models[number] = nil }
            return state.models[number]
        }
        model?.finishSaving(within: Self.savingDuration)
        return model?.engine.end
    }

    /// How long what is kept on disk may take to be written.
    private static let savingDuration = Duration.seconds(30)

    // MARK: Idleness

    /// Unloads a model once it has been idle for long enough; one task per model at most.
    private func watch(_ number: Int) {
        guard let duration = keepAlive.duration else { return }
        let isWatched = state.withLock { state in
            state.shelf.expiry(of: number, after: duration) == nil || !state.watched.insert(number).inserted
        }
        guard !isWatched else { return }
        Task {
            while let end = expiry(of: number, after: duration) {
                try? await Task.sleep(until: end, clock: .continuous)
            }
        }
    }

    /// When to look at a model again; nil if it is in use, or was idle for long enough and goes.
    private func expiry(of number: Int, after duration: Duration) -> ContinuousClock.Instant? {
        let (next, action) = state.withLock { state -> (ContinuousClock.Instant?, ModelShelf.Action?) in
            let end = state.shelf.expiry(of: number, after: duration)
            if let end, end > .now { return (end, nil) }
            state.watched.remove(number)
            return (nil, end == nil ? nil : state.shelf.unload(number))
        }
        if let action { perform(action) }
        return next
    }

    // MARK: Reports

    /// What is known of a model.
    package struct Report: Sendable {
        package let entry: Entry
        /// The model while it is loaded.
        package let model: Model?
        /// What it can do; known since it was first loaded.
        let details: ModelDetails?
        /// How often it was loaded.
        package let loadCount: Int
    }

    /// What is known of all models, in their order.
    package var reports: [Report] {
        state.withLock { state in
            entries.indices.map { number in
                Report(
                    entry: entries[number],
                    model: state.models[number],
                    details: state.details[number],
                    loadCount: state.loadCounts[number]
                )
            }
        }
    }

    /// Waits until what is kept on disk is written, or the time is up.
    package func finishSaving(until end: ContinuousClock.Instant) {
        for report in reports { report.model?.finishSaving(within: max(.zero, ContinuousClock.now.duration(to: end))) }
    }
}

/// What a model can do, known without it once it was loaded.
struct ModelDetails: Sendable {
    let vocabularySize: Int
    let isConversational: Bool
    let takesTools: Bool
    let fillsGaps: Bool

    init(_ model: Model) {
        vocabularySize = model.tokenizer.vocabularySize
        isConversational = model.chatTemplate != nil
        takesTools = model.toolTemplate != nil
        fillsGaps = model.fillsGaps
    }
}
