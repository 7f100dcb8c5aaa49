import Synchronization

/// Bounds what is under way, in all and per key, and says early when it is too much.
///
/// Answers are counted, waiting ones included: a request for four counts four. Thread-safe.
package final class Admission: Sendable {
    /// Answers that may be under way or waiting.
    package let limit: Int
    private let state = Mutex(State())

    private struct State {
        var count = 0
        var callers: [String: CallerState] = [:]
    }

    private struct CallerState {
        var count = 0
        var bucket: TokenBucket?
    }

    package init(limit: Int) { self.limit = limit }

    /// Answers under way or waiting.
    package var count: Int { state.withLock { $0.count } }

    /// Lets a request in.
    /// - Returns: what the request holds until it ends.
    /// - Throws: `ServiceError` (`busy`, `rateLimited`) with the limit that was reached.
    package func admit(_ caller: Caller, sequenceCount: Int, now: ContinuousClock.Instant = .now) throws -> Ticket {
        try state.withLock { state in
            guard sequenceCount <= limit else {
                throw ServiceError(
                    .invalidRequest,
                    "the request asks for \(sequenceCount) answers, the server works on at most \(limit)"
                )
            }
            guard state.count + sequenceCount <= limit else {
                throw ServiceError(
                    .busy(retrySeconds: 1),
                    "\(state.count) answers are under way, at most \(limit) may be"
                )
            }
            if let name = caller.name { try Self.admit(caller, name, sequenceCount, now, &state.callers) }
            state.count += sequenceCount
        }
        return Ticket(self, caller, sequenceCount)
    }

    private static func admit(
        _ caller: Caller,
        _ name: String,
        _ sequenceCount: Int,
        _ now: ContinuousClock.Instant,
        _ callers: inout [String: CallerState]
    ) throws {
        var known = callers[name] ?? CallerState()
        if let limit = caller.concurrency, known.count + sequenceCount > limit {
            throw ServiceError(
                .rateLimited(retrySeconds: 1),
                "the key \(name) has \(known.count) answers under way and asks for \(sequenceCount); it may have \(limit)"
            )
        }
        if let rate = caller.tokensPerMinute {
            var bucket = known.bucket ?? TokenBucket(tokensPerMinute: rate, now: now)
            bucket.refill(tokensPerMinute: rate, now: now)
            known.bucket = bucket
            callers[name] = known
            if let seconds = bucket.secondsUntilUsable(tokensPerMinute: rate) {
                throw ServiceError(
                    .rateLimited(retrySeconds: seconds),
                    "the key \(name) has used its \(rate) tokens a minute"
                )
            }
        }
        known.count += sequenceCount
        callers[name] = known
    }

    private func spend(_ tokenCount: Int, by name: String) {
        state.withLock { $0.callers[name]?.bucket?.take(tokenCount) }
    }

    private func leave(_ caller: Caller, _ sequenceCount: Int) {
        state.withLock { state in
            state.count -= sequenceCount
            if let name = caller.name { state.callers[name]?.count -= sequenceCount }
        }
    }

    /// What an admitted request holds; gives it back when closed or let go.
    package final class Ticket: Sendable {
        private let admission: Admission
        private let caller: Caller
        private let sequenceCount: Int
        private let isOpen = Atomic(true)

        fileprivate init(_ admission: Admission, _ caller: Caller, _ sequenceCount: Int) {
            self.admission = admission
            self.caller = caller
            self.sequenceCount = sequenceCount
        }

        deinit { close() }

        /// Counts tokens against the caller's rate.
        package func spend(_ tokenCount: Int) {
            if caller.tokensPerMinute != nil, let name = caller.name { admission.spend(tokenCount, by: name) }
        }

        /// Gives the place back; the second time does nothing.
        package func close() {
            if isOpen.exchange(false, ordering: .relaxed) { admission.leave(caller, sequenceCount) }
        }
    }
}
