#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Rotary position embedding (Su et al., "RoFormer", 2021) and the ways its frequencies are stretched.
package struct RotaryEmbedding: Sendable {
    /// How frequencies are changed for contexts longer than the model was first trained for.
    package enum Scaling: Sendable {
        case none
        /// Positions divided by a factor (Chen et al., "Position Interpolation", 2023).
        case linear(factor: Double)
        /// Peng et al., "YaRN", 2023, sections 3.2 to 3.4.
        case yarn(factor: Double, originalContext: Double, betaFast: Double, betaSlow: Double, attentionFactor: Double?)
        /// Llama 3.1's smooth interpolation between two wavelengths (its reference code, "apply_scaling").
        case llama3(factor: Double, lowFactor: Double, highFactor: Double, originalContext: Double)
        /// Every frequency divided by its own factor, as a file lists them.
        case factors([Float], attentionFactor: Double)
    }

    /// Radians per position, one per rotated pair.
    package let inverseFrequencies: [Double]
    /// What sines and cosines are multiplied by.
    package let magnitude: Float

    /// - Parameters:
    ///   - dimension: rotated dimensions of a head, an even number.
    ///   - base: theta.
    package init(dimension: Int, base: Double, scaling: Scaling = .none) {
        let plain = (0..<dimension / 2).map { pow(base, -2 * Double($0) / Double(dimension)) }
        switch scaling {
        case .none:
            inverseFrequencies = plain
            magnitude = 1
        case .linear(let factor):
            inverseFrequencies = plain.map { $0 / factor }
            magnitude = 1
        case .yarn(let factor, let originalContext, let betaFast, let betaSlow, let attentionFactor):
            inverseFrequencies = Self.yarn(plain, dimension, base, factor, originalContext, betaFast, betaSlow)
            magnitude = Float(attentionFactor ?? Self.yarnMagnitude(factor: factor))
        case .llama3(let factor, let lowFactor, let highFactor, let originalContext):
            inverseFrequencies = plain.map { Self.llama3($0, factor, lowFactor, highFactor, originalContext) }
            magnitude = 1
        case .factors(let factors, let attentionFactor):
            inverseFrequencies = zip(plain, factors).map { $0 / Double($1) }
            magnitude = Float(attentionFactor)
        }
    }

    /// YaRN's attention factor (section 3.4): the root of the temperature, applied to both sines and cosines.
    package static func yarnMagnitude(factor: Double) -> Double { factor > 1 ? 0.1 * log(factor) + 1 : 1 }

    /// Pairs that turn often keep their frequency, pairs that turn rarely are interpolated, with a ramp between.
    private static func yarn(
        _ plain: [Double],
        _ dimension: Int,
        _ base: Double,
        _ factor: Double,
        _ originalContext: Double,
        _ betaFast: Double,
        _ betaSlow: Double
    ) -> [Double] {
        func pair(turning rotations: Double) -> Double {
            Double(dimension) * log(originalContext / (rotations * 2 * .pi)) / (2 * log(base))
        }
        let low = max(pair(turning: betaFast).rounded(.down), 0)
        let high = min(pair(turning: betaSlow).rounded(.up), Double(dimension - 1))
        let width = max(high - low, 0.001)
        return plain.enumerated().map { index, frequency in
            let ramp = min(max((Double(index) - low) / width, 0), 1)
            return frequency / factor * ramp + frequency * (1 - ramp)
        }
    }

    private static func llama3(
        _ frequency: Double,
        _ factor: Double,
        _ lowFactor: Double,
        _ highFactor: Double,
        _ originalContext: Double
    ) -> Double {
        let wavelength = 2 * Double.pi / frequency
        if wavelength < originalContext / highFactor { return frequency }
        if wavelength > originalContext / lowFactor { return frequency / factor }
        let smooth = (originalContext / wavelength - lowFactor) / (highFactor - lowFactor)
        return (1 - smooth) * frequency / factor + smooth * frequency
    }
}
