#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What turns a row of logits into logarithms of probabilities.
struct LogSoftmax {
    private let largest: Double
    private let logSum: Double

    init(_ logits: Span<Float>) {
        var largest = -Float.infinity
        for index in logits.indices { largest = max(largest, logits[index]) }
        var sum = 0.0
        let greatest = Double(largest)
        for index in logits.indices { sum += exp(Double(logits[index]) - greatest) }
        self.largest = greatest
        logSum = log(sum)
    }

    /// The natural logarithm of the probability of a token with this logit.
    func callAsFunction(_ logit: Float) -> Double { Double(logit) - largest - logSum }
}
