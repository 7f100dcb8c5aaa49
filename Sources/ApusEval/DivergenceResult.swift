#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What a comparison of two models' predictions found so far.
package struct DivergenceResult: Sendable {
    /// A prediction that came out far from the reference's.
    package struct Worst: Sendable {
        package let divergence: Double
        package let chunk: Int
        package let position: Int
        /// The last tokens up to the prediction.
        package let context: [Int32]
        /// The token that came in the text, the one that the reference holds most likely, and the model's.
        package let next, expected, found: Int
    }

    /// Kullback-Leibler divergence from the reference, in nats a token.
    package private(set) var divergence = Mean()
    /// 1 where the most likely token is the reference's, else 0.
    package private(set) var topOneAgreement = Mean()
    /// The share of the reference's five most likely tokens that are among the model's.
    package private(set) var topFiveAgreement = Mean()
    /// ln(perplexity / the reference's), token by token.
    package private(set) var logRatio = Mean()
    /// The predictions with the largest divergences, those first.
    package private(set) var worst: [Worst] = []

    private let worstCount: Int
    private var surprise = Mean()
    private var divergences: [Float] = []

    /// Nothing compared yet.
    /// - Parameter worstCount: how many of the worst predictions to keep.
    package init(worstCount: Int) { self.worstCount = worstCount }

    /// Predictions compared.
    package var tokenCount: Int { divergence.count }
    /// e to the model's mean negative log likelihood.
    package var perplexity: Double { exp(surprise.value) }
    /// e to the reference's mean negative log likelihood.
    package var referencePerplexity: Double { exp(surprise.value - logRatio.value) }
    /// Whether all logits were numbers.
    package var isFinite: Bool { divergence.value.isFinite && perplexity.isFinite && referencePerplexity.isFinite }

    /// The divergences that these shares of all predictions do not exceed (nearest rank).
    package func percentiles(_ shares: [Double]) -> [Double] {
        let sorted = divergences.sorted()
        guard !sorted.isEmpty else { return shares.map { _ in .nan } }
        return shares.map {
            Double(sorted[min(sorted.count - 1, max(0, Int((Double(sorted.count) * $0).rounded(.up)) - 1))])
        }
    }

    mutating func add(_ comparison: PredictionComparison, chunk: Int, position: Int, context: [Int32]) {
        divergence.add(comparison.divergence)
        divergences.append(Float(comparison.divergence))
        topOneAgreement.add(comparison.top[0] == comparison.referenceTop[0] ? 1 : 0)
        let shared = comparison.referenceTop.count { comparison.top.contains($0) }
        topFiveAgreement.add(Double(shared) / Double(comparison.referenceTop.count))
        surprise.add(-comparison.logLikelihood)
        logRatio.add(comparison.referenceLogLikelihood - comparison.logLikelihood)
        guard worst.count < worstCount || comparison.divergence > worst.last?.divergence ?? .infinity else { return }
        let entry = Worst(
            divergence: comparison.divergence,
            chunk: chunk,
            position: position,
            context: context,
            next: comparison.next,
            expected: comparison.referenceTop[0],
            found: comparison.top[0]
        )
        if worst.count == worstCount { worst.removeLast() }
        worst.insert(entry, at: worst.firstIndex { $0.divergence < entry.divergence } ?? worst.count)
    }
}
