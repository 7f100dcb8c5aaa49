/// Which of several models are in memory, who waits for one, and what has to be loaded or unloaded for them.
///
/// The rules, without a lock, a clock or a model; `ModelRegistry` carries out what `advance` says.
///
/// Requests are served in the order they came in. Where the memory does not suffice for the first one that waits, the
/// models used longest ago make room, idle ones before busy ones. A busy one finishes what it has begun, and takes nothing
/// new before that request had its turn: nobody waits forever behind models that are never idle.
package struct ModelShelf {
    package enum Phase: Equatable {
        case unloaded
        case loading
        case loaded
        case unloading
    }

    /// What is to be done.
    package enum Action: Equatable {
        case load(slot: Int)
        case unload(slot: Int)
        /// The waiter may use the model of its slot, and must give that back.
        case grant(waiter: Int, slot: Int)
    }

    private struct Slot {
        let byteCount: Int
        var phase = Phase.unloaded
        var useCount = 0
        var lastUse = ContinuousClock.now
        /// Whether it takes nothing new, as its memory is needed.
        var isLeaving = false
    }

    private var slots: [Slot]
    private let byteLimit: Int
    /// In the order they came.
    private var waiters: [(number: Int, slot: Int)] = []

    package init(byteCounts: [Int], byteLimit: Int) {
        slots = byteCounts.map { Slot(byteCount: $0) }
        self.byteLimit = byteLimit
    }

    package func phase(of slot: Int) -> Phase { slots[slot].phase }

    /// Whether a model can be loaded without another one making room.
    package func hasRoom(for slot: Int) -> Bool {
        byteCount { $0.phase != .unloaded } + slots[slot].byteCount <= byteLimit
    }

    private func byteCount(where isCounted: (Slot) -> Bool) -> Int {
        slots.reduce(0) { $0 + (isCounted($1) ? $1.byteCount : 0) }
    }

    // MARK: Requests

    /// Uses a model now, if it may be.
    package mutating func use(_ slot: Int) -> Bool {
        guard slots[slot].phase == .loaded, !slots[slot].isLeaving else { return false }
        slots[slot].useCount += 1
        return true
    }

    /// Lines up for a model.
    package mutating func wait(_ waiter: Int, for slot: Int) { waiters.append((waiter, slot)) }

    /// Leaves the line.
    /// - Returns: whether the waiter was still in it.
    package mutating func withdraw(_ waiter: Int) -> Bool {
        guard let index = waiters.firstIndex(where: { $0.number == waiter }) else { return false }
        waiters.remove(at: index)
        return true
    }

    /// Ends a use.
    package mutating func giveBack(_ slot: Int, now: ContinuousClock.Instant) {
        slots[slot].useCount -= 1
        slots[slot].lastUse = now
    }

    // MARK: Outcomes

    package mutating func finishLoading(_ slot: Int, now: ContinuousClock.Instant) {
        slots[slot].phase = .loaded
        slots[slot].lastUse = now
    }

    /// Ends a load that failed.
    /// - Returns: who waited for it, and waits no more.
    package mutating func failLoading(_ slot: Int) -> [Int] {
        slots[slot].phase = .unloaded
        let failed = waiters.filter { $0.slot == slot }.map(\.number)
        waiters.removeAll { $0.slot == slot }
        return failed
    }

    package mutating func finishUnloading(_ slot: Int) { slots[slot].phase = .unloaded }

    /// When a model has been idle for a duration; nil while it is in use or not loaded.
    package func expiry(of slot: Int, after duration: Duration) -> ContinuousClock.Instant? {
        guard slots[slot].phase == .loaded, slots[slot].useCount == 0 else { return nil }
        return slots[slot].lastUse.advanced(by: duration)
    }

    /// Begins to unload a model that is idle.
    package mutating func unload(_ slot: Int) -> Action {
        slots[slot].phase = .unloading
        return .unload(slot: slot)
    }

    // MARK: Decisions

    /// What is to be done now; to be asked for after every change.
    package mutating func advance() -> [Action] {
        var actions: [Action] = []
        for index in slots.indices { slots[index].isLeaving = false }
        // Nobody takes the memory that an earlier one waits for.
        var isReserved = false
        var waiting: [(number: Int, slot: Int)] = []
        for waiter in waiters {
            if use(waiter.slot) {
                actions.append(.grant(waiter: waiter.number, slot: waiter.slot))
                continue
            }
            waiting.append(waiter)
            guard slots[waiter.slot].phase == .unloaded, !isReserved else { continue }
            if hasRoom(for: waiter.slot) {
                slots[waiter.slot].phase = .loading
                actions.append(.load(slot: waiter.slot))
            } else {
                isReserved = true
                actions += makeRoom(for: waiter.slot)
            }
        }
        waiters = waiting
        return actions
    }

    /// Unloads idle models and marks busy ones until there will be room.
    private mutating func makeRoom(for slot: Int) -> [Action] {
        var actions: [Action] = []
        let staying = byteCount { $0.phase == .loading || $0.phase == .loaded }
        var missing = staying + slots[slot].byteCount - byteLimit
        let candidates = slots.indices.filter { slots[$0].phase == .loaded }.sorted {
            (slots[$0].useCount > 0 ? 1 : 0, slots[$0].lastUse) < (slots[$1].useCount > 0 ? 1 : 0, slots[$1].lastUse)
        }
        for candidate in candidates where missing > 0 {
            missing -= slots[candidate].byteCount
            if slots[candidate].useCount == 0 {
                actions.append(unload(candidate))
            } else {
                slots[candidate].isLeaving = true
            }
        }
        return actions
    }
}
