/// How often something took how long, in buckets as Prometheus wants them.
struct Histogram: Sendable {
    /// Upper bounds in seconds, ascending.
    let bounds: [Double]
    private(set) var counts: [Int]
    private(set) var sum = 0.0
    private(set) var count = 0

    init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count)
    }

    mutating func observe(_ seconds: Double) {
        sum += seconds
        count += 1
        // Counted where it belongs only; the text adds the buckets up.
        if let index = bounds.firstIndex(where: { seconds <= $0 }) { counts[index] += 1 }
    }
}
