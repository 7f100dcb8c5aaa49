import Apus
import ApusCore
import ApusServe
import ApusTestSupport
import Synchronization
import Testing

/// Loading and unloading, with the default model under several names.
@Suite(.enabled(if: RealModel.smolLM2.isWanted)) struct ModelRegistryTests {
    private static let options = ModelOptions(contextLength: 512, kvPositionCount: 512)

    /// A registry with room for one model at a time.
    private static func registry(
        _ ids: [String],
        keepAlive: KeepAlive = .forever,
        log: Log = Log()
    ) throws -> ModelRegistry {
        let entries = try ids.map { try ModelRegistry.Entry(id: $0, path: RealModel.smolLM2.path, options: options) }
        return ModelRegistry(entries, byteLimit: entries[0].plan.total * 3 / 2, keepAlive: keepAlive) { log.add($0) }
    }

    /// What a registry logs, without durations.
    private final class Log: Sendable {
        private let state = Mutex<[String]>([])
        var lines: [String] { state.withLock { $0 } }
        func add(_ line: String) {
            state.withLock { $0.append(line.split(separator: " ").prefix(2).joined(separator: " ")) }
        }
    }

    private static func answer(_ registry: ModelRegistry, _ number: Int) async throws -> [Int32] {
        let served = try await registry.model(number)
        var options = GenerationOptions(maximumTokenCount: 24)
        options.sampling.seed = 7
        var tokens: [Int32] = []
        for try await piece in try served.model.generate("Once upon a time", options: options) {
            tokens += piece.tokens
        }
        return tokens
    }

    @Test func answersAreTheSameAfterUnloading() async throws {
        let log = Log()
        let registry = try Self.registry(["a", "b"], log: log)
        let first = try await Self.answer(registry, 0)
        let other = try await Self.answer(registry, 1)
        let second = try await Self.answer(registry, 0)
        #expect(first.count == 24 && first == second && first == other)
        #expect(log.lines == ["loaded a", "unloaded a", "loaded b", "unloaded b", "loaded a"])
        #expect(registry.reports.map(\.loadCount) == [2, 1])
    }

    @Test func anIdleModelGoesAndComesBack() async throws {
        let log = Log()
        let registry = try Self.registry(["a"], keepAlive: try #require(KeepAlive("0")), log: log)
        let first = try await Self.answer(registry, 0)
        while log.lines.count < 2 { await Task.yield() }
        #expect(log.lines == ["loaded a", "unloaded a"])
        #expect(try await Self.answer(registry, 0) == first)
    }

    @Test func manyRequestsForTwoModelsThatDoNotFitAreAllAnswered() async throws {
        let registry = try Self.registry(["a", "b"])
        let answers = try await withThrowingTaskGroup(of: [Int32].self) { group in
            for number in 0..<12 { group.addTask { try await Self.answer(registry, number % 2) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.count == 12 && Set(answers).count == 1)
    }

    @Test func aCancelledRequestLeavesTheLineAndTheModelIsLoadedOnce() async throws {
        let registry = try Self.registry(["a"])
        let impatient = Task { try await registry.model(0) }
        impatient.cancel()
        await #expect(throws: CancellationError.self) { try await impatient.value }
        _ = try await registry.model(0)
        #expect(registry.reports[0].loadCount == 1)
    }

    @Test func aFailedLoadAnswersAllAndTheNextRequestTriesAgain() async throws {
        let plan = try ModelRegistry.Entry(id: "a", path: RealModel.smolLM2.path, options: Self.options).plan
        let attempts = Atomic(0)
        let entry = ModelRegistry.Entry(id: "a", plan: plan) {
            attempts.add(1, ordering: .relaxed)
            throw ApusError(.inputOutput, "the file has gone")
        }
        let registry = ModelRegistry([entry], byteLimit: plan.total)
        for _ in 0..<2 {
            await withTaskGroup { group in
                for _ in 0..<4 {
                    group.addTask { _ = await #expect(throws: ApusError.self) { try await registry.model(0) } }
                }
            }
        }
        #expect((2...8).contains(attempts.load(ordering: .relaxed)))
        let service = Service(registry: registry, admission: Admission(limit: 1))
        let error = await #expect(throws: ServiceError.self) { try await Call(service: service).model(named: "a") }
        #expect(error?.kind == .failed && error?.message.contains("file has gone") == false)
        #expect(service.admission.count == 0)
    }
}
