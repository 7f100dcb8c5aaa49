#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// One row of a model's logits beside a reference's.
package struct PredictionComparison {
    /// The token that came in the text.
    package let next: Int
    /// The sum over all tokens of p ln(p / q), p being the reference's probabilities and q the model's.
    package let divergence: Double
    /// The logarithms of the probabilities of `next`.
    package let logLikelihood, referenceLogLikelihood: Double
    /// The five most likely tokens, the lowest id first among equals.
    package let top, referenceTop: [Int]

    /// Compares two rows of one vocabulary.
    /// - Parameter next: the token that came in the text.
    package init(_ logits: Span<Float>, reference: Span<Float>, next: Int) {
        let (model, expected) = (LogSoftmax(logits), LogSoftmax(reference))
        var sum = 0.0
        for token in logits.indices {
            let logProbability = expected(reference[token])
            // A token that the reference rules out adds nothing.
            if logProbability > -745 { sum += exp(logProbability) * (logProbability - model(logits[token])) }
        }
        self.next = next
        divergence = sum
        logLikelihood = model(logits[next])
        referenceLogLikelihood = expected(reference[next])
        top = Self.largest(logits)
        referenceTop = Self.largest(reference)
    }

    private static func largest(_ logits: Span<Float>) -> [Int] {
        var top: [Int] = []
        for token in logits.indices where top.count < 5 || logits[token] > logits[top[4]] {
            if top.count == 5 { top.removeLast() }
            top.insert(token, at: top.firstIndex { logits[$0] < logits[token] } ?? top.count)
        }
        return top
    }
}
