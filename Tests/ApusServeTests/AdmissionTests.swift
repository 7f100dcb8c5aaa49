import ApusServe
import Testing

struct AdmissionTests {
    @Test func whatIsTooMuchIsRefusedUntilSomethingEnds() throws {
        let admission = Admission(limit: 3)
        let first = try admission.admit(.anyone, sequenceCount: 2)
        let error = #expect(throws: ServiceError.self) { try admission.admit(.anyone, sequenceCount: 2) }
        #expect(error?.status == 429 && error?.retrySeconds == 1)
        first.close()
        first.close()
        #expect(admission.count == 0)
        let second = try admission.admit(.anyone, sequenceCount: 3)
        #expect(admission.count == 3)
        second.close()
        #expect(throws: ServiceError.self) { try admission.admit(.anyone, sequenceCount: 4) }
    }

    @Test func aTicketLetGoIsClosed() throws {
        let admission = Admission(limit: 1)
        do { _ = try admission.admit(.anyone, sequenceCount: 1) }
        #expect(admission.count == 0)
    }

    @Test func aKeyHasItsOwnLimits() throws {
        let admission = Admission(limit: 100)
        let alice = Caller(name: "alice", concurrency: 1)
        let ticket = try admission.admit(alice, sequenceCount: 1)
        let error = #expect(throws: ServiceError.self) { try admission.admit(alice, sequenceCount: 1) }
        #expect(error?.status == 429)
        _ = try admission.admit(Caller(name: "bob", concurrency: 1), sequenceCount: 1)
        ticket.close()
        _ = try admission.admit(alice, sequenceCount: 1)
    }

    @Test func aRateIsPaidBackByTime() throws {
        let admission = Admission(limit: 100)
        let caller = Caller(name: "alice", tokensPerMinute: 60)
        let start = ContinuousClock.now
        try admission.admit(caller, sequenceCount: 1, now: start).spend(89)
        let error = #expect(throws: ServiceError.self) { try admission.admit(caller, sequenceCount: 1, now: start) }
        #expect(error?.kind == .rateLimited(retrySeconds: 30))
        _ = try admission.admit(caller, sequenceCount: 1, now: start.advanced(by: .seconds(31)))
    }
}
