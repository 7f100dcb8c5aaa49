import ApusStore
import Synchronization

/// Keeps the events of a pull.
final class EventLog: Sendable {
    private let storage = Mutex<[PullEvent]>([])

    var events: [PullEvent] { storage.withLock { $0 } }
    var retryCount: Int { events.filter { if case .retrying = $0 { true } else { false } }.count }

    func add(_ event: PullEvent) { storage.withLock { $0.append(event) } }
}
