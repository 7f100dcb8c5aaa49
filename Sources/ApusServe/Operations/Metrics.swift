import ApusEngine
import Synchronization

/// What the server has done, as `/metrics` tells it.
///
/// Thread-safe.
package final class Metrics: Sendable {
    /// A duration whose distribution is kept.
    package enum Timing: String, CaseIterable, Sendable {
        /// From the engine's receipt of a request to its first step.
        case queue
        /// From a request's arrival to its first token.
        case firstToken
        /// Between two tokens of an answer.
        case tokenGap
    }

    struct State: Sendable {
        var timings: [Timing: Histogram] = [:]
        var requests: [RequestLabel: Histogram] = [:]
        var usage = Inference.Usage()
        var cancellationCount = 0
        var stages: [String: Double] = [:]
        var answerSeconds = 0.0
    }

    struct RequestLabel: Hashable, Sendable {
        let route: String
        let status: Int
    }

    private let state = Mutex(State())

    package init() {}

    var latest: State { state.withLock { $0 } }

    /// Notes a duration.
    package func observe(_ timing: Timing, _ duration: Duration) {
        state.withLock { $0.timings[timing, default: Histogram(bounds: timing.bounds)].observe(duration.seconds) }
    }

    /// Notes an HTTP request that was answered.
    package func countRequest(route: String, status: Int, _ duration: Duration) {
        let label = RequestLabel(route: route, status: status)
        state.withLock { $0.requests[label, default: Histogram(bounds: Self.requestBounds)].observe(duration.seconds) }
    }

    /// Notes a request's tokens.
    package func count(_ usage: Inference.Usage) {
        state.withLock { state in
            state.usage.promptTokenCount += usage.promptTokenCount
            state.usage.cachedTokenCount += usage.cachedTokenCount
            state.usage.generatedTokenCount += usage.generatedTokenCount
        }
    }

    /// Notes where an answer's time went.
    func count(_ timings: GenerationTimings, preparation: Duration, total: Duration) {
        state.withLock { state in
            state.stages["prepare", default: 0] += preparation.seconds
            state.stages["queue", default: 0] += timings.queue.seconds
            state.stages["prefill", default: 0] += timings.prefill.seconds
            state.stages["decode", default: 0] += timings.decode.seconds
            state.answerSeconds += total.seconds
        }
    }

    /// Notes a generation that ended because nobody waits for it any more.
    package func countCancellation() { state.withLock { $0.cancellationCount += 1 } }

    private static let requestBounds = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800]
}

extension Metrics.Timing {
    /// The buckets' upper bounds in seconds.
    var bounds: [Double] {
        switch self {
        case .queue: [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300]
        case .firstToken: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
        case .tokenGap: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5]
        }
    }
}

extension Duration {
    /// The duration in seconds.
    var seconds: Double { self / .seconds(1) }
}
