#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif

/// What callers want of the engine's thread: a queue of messages, on which the thread parks when it has nothing to do.
///
/// Thread-safe. A POSIX mutex and condition, since the thread sanitizer knows them.
final class EngineInbox: @unchecked Sendable {
    enum Message: Sendable {
        case submit(SubmittedRequest)
        case cancel(id: Int)
        /// Blocks have been saved or restored.
        case stored(PrefixStore.Event)
        /// End all requests and the thread.
        case close
    }

    // Sound to share because `messages` is only touched with the mutex held, and the addresses never change.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let arrival = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var messages: [Message] = []

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(arrival, nil)
    }

    deinit {
        pthread_cond_destroy(arrival)
        pthread_mutex_destroy(mutex)
        arrival.deallocate()
        mutex.deallocate()
    }

    /// Leaves a message and wakes the thread.
    func send(_ message: Message) {
        pthread_mutex_lock(mutex)
        messages.append(message)
        pthread_cond_signal(arrival)
        pthread_mutex_unlock(mutex)
    }

    /// Takes all messages.
    /// - Parameter isIdle: parks the calling thread until there is one.
    func receive(isIdle: Bool) -> [Message] {
        pthread_mutex_lock(mutex)
        while isIdle && messages.isEmpty { pthread_cond_wait(arrival, mutex) }
        let taken = messages
        messages = []
        pthread_mutex_unlock(mutex)
        return taken
    }
}
