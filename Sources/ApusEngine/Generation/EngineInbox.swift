internal import Dispatch
internal import Synchronization

/// What callers want of the engine's thread: a queue of messages on which the thread parks when it has nothing to do.
///
/// Thread-safe.
final class EngineInbox: Sendable {
    enum Message: Sendable {
        case submit(SubmittedRequest)
        case cancel(id: Int)
        /// End all requests and the thread.
        case close
    }

    private let messages = Mutex<[Message]>([])
    private let isEmptyHint = Atomic(true)
    private let arrivals = DispatchSemaphore(value: 0)

    /// Leaves a message and wakes the thread.
    func send(_ message: Message) {
        messages.withLock { $0.append(message) }
        isEmptyHint.store(false, ordering: .releasing)
        arrivals.signal()
    }

    /// Takes all messages; costs one load when there are none.
    func receive() -> [Message] {
        guard !isEmptyHint.exchange(true, ordering: .acquiring) else { return [] }
        return messages.withLock { waiting in
            let taken = waiting
            waiting.removeAll()
            return taken
        }
    }

    /// Parks the calling thread until a message has come that it did not park for before.
    func park() { arrivals.wait() }
}
