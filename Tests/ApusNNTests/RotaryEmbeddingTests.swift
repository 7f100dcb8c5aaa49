import ApusNN
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Frequencies against the formulas of the papers.
@Suite struct RotaryEmbeddingTests {
    static let dimension = 64
    static let base = 10_000.0
    static let plain = (0..<32).map { exp(-log(base) * Double($0) / 32) }

    private static func expectEqual(_ found: [Double], _ expected: [Double]) {
        #expect(found.count == expected.count)
        for (found, expected) in zip(found, expected) { #expect(abs(found / expected - 1) < 1e-12) }
    }

    @Test func unscaledFrequenciesFallGeometrically() {
        let rotary = RotaryEmbedding(dimension: Self.dimension, base: Self.base)
        Self.expectEqual(rotary.inverseFrequencies, Self.plain)
        #expect(rotary.magnitude == 1)
    }

    @Test func linearScalingDividesPositions() {
        let rotary = RotaryEmbedding(dimension: Self.dimension, base: Self.base, scaling: .linear(factor: 4))
        Self.expectEqual(rotary.inverseFrequencies, Self.plain.map { $0 / 4 })
        #expect(rotary.magnitude == 1)
    }

    @Test func listedFactorsDivideTheirFrequencies() {
        let factors = (0..<32).map { Float($0 + 1) }
        let rotary = RotaryEmbedding(
            dimension: Self.dimension,
            base: Self.base,
            scaling: .factors(factors, attentionFactor: 1.5)
        )
        Self.expectEqual(rotary.inverseFrequencies, zip(Self.plain, factors).map { $0 / Double($1) })
        #expect(rotary.magnitude == 1.5)
    }

    /// Peng et al., section 3.2: pairs with over 32 turns in the original context stay, with under one are divided.
    @Test func yarnKeepsFastPairsAndDividesSlowOnes() {
        let (factor, context) = (16.0, 4096.0)
        let rotary = RotaryEmbedding(
            dimension: Self.dimension,
            base: Self.base,
            scaling: .yarn(factor: factor, originalContext: context, betaFast: 32, betaSlow: 1, attentionFactor: nil)
        )
        var ramped = 0
        for (found, plain) in zip(rotary.inverseFrequencies, Self.plain) {
            let turns = context * plain / (2 * .pi)
            // The ramp's ends lie on whole pairs, up to one pair outside.
            if turns > 32 * pow(Self.base, 1.0 / 32) { #expect(abs(found / plain - 1) < 1e-12) }
            if turns < pow(Self.base, -1.0 / 32) { #expect(abs(found / (plain / factor) - 1) < 1e-12) }
            if found < plain * 0.999 && found > plain / factor * 1.001 { ramped += 1 }
        }
        #expect(ramped >= 8)
        #expect(rotary.inverseFrequencies == rotary.inverseFrequencies.sorted(by: >))
        #expect(abs(rotary.magnitude - Float(0.1 * log(16) + 1)) < 1e-6)
    }

    @Test func aStatedAttentionFactorReplacesYarnsOwn() {
        let rotary = RotaryEmbedding(
            dimension: Self.dimension,
            base: Self.base,
            scaling: .yarn(factor: 16, originalContext: 4096, betaFast: 32, betaSlow: 1, attentionFactor: 1)
        )
        #expect(rotary.magnitude == 1)
    }

    /// Llama 3.1: wavelengths under a quarter of the context stay, over the whole context are divided by 8, and between
    /// them the frequency is interpolated by how often the wavelength fits the context.
    @Test func llama3InterpolatesBetweenTwoWavelengths() {
        let context = 8192.0
        let rotary = RotaryEmbedding(
            dimension: Self.dimension,
            base: Self.base,
            scaling: .llama3(factor: 8, lowFactor: 1, highFactor: 4, originalContext: context)
        )
        let expected = Self.plain.map { plain in
            let fits = context * plain / (2 * .pi)
            let share = min(max((fits - 1) / 3, 0), 1)
            return plain * (share + (1 - share) / 8)
        }
        Self.expectEqual(rotary.inverseFrequencies, expected)
        #expect(rotary.magnitude == 1)
    }
}
