import Dispatch

/// A thread for work that computes and never waits: templates, tokenizing, embeddings.
///
/// Swift's cooperative pool has as many threads as there are cores, and `/health` answers on it; nothing that can take
/// longer than a blink may run there. Tasks run one after another. Thread-safe.
package final class WorkQueue: Sendable {
    private let queue: DispatchQueue

    package init(_ name: String) { queue = DispatchQueue(label: "apus.\(name)") }

    /// Runs `body` on the thread and waits for it without blocking; what is cancelled before it starts does not run.
    package func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        let cancellation = CancellationFlag()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                queue.async {
                    continuation.resume(
                        with: Swift.Result {
                            if cancellation.isSet { throw CancellationError() }
                            return try body()
                        }
                    )
                }
            }
        } onCancel: {
            cancellation.set()
        }
    }
}
