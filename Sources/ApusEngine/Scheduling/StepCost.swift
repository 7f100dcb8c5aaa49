/// What a step costs, learned from the steps so far: so many seconds whatever it computes, so many for each sequence
/// that generates, and for each row of a prompt.
///
/// A Kalman filter over the three coefficients (R. E. Kalman, "A New Approach to Linear Filtering and Prediction
/// Problems", 1960): each step's time is one observation. The coefficients drift: a prompt row's the most, as its attention
/// grows with its position and its share of the weights' reading falls with their number. What changes while a long prompt runs is
/// so put down to its rows, not to the sequences beside it. Nothing is allocated.
struct StepCost {
    /// What is counted in a step: itself, its generating sequences, its prompt rows.
    struct Size {
        var singleCount: Int
        var promptRowCount: Int

        var vector: SIMD3<Double> { SIMD3(1, Double(singleCount), Double(promptRowCount)) }
    }

    /// Seconds of a step, of a generating sequence, of a prompt row.
    private(set) var coefficients: SIMD3<Double>
    private var covariance: (SIMD3<Double>, SIMD3<Double>, SIMD3<Double>)

    /// How much of its value a coefficient may change from step to step: standard deviations.
    private static let drift = SIMD3<Double>(0.02, 0.02, 0.1)
    /// How much of its time a step may deviate from what it should take.
    private static let noise = 0.1

    /// Begins with one observation, half of which is taken for the step's own.
    init(_ size: Size, seconds: Double) {
        let half = seconds / 2
        let row = half / Double(max(1, size.singleCount + size.promptRowCount))
        coefficients = SIMD3(half, row, row)
        covariance = (SIMD3(half * half, 0, 0), SIMD3(0, row * row, 0), SIMD3(0, 0, row * row))
    }

    /// The expected seconds of a step.
    func seconds(_ size: Size) -> Double { (coefficients * size.vector).sum() }

    /// Learns from a step.
    mutating func note(_ size: Size, seconds: Double) {
        let drift = coefficients * Self.drift
        covariance.0.x += drift.x * drift.x
        covariance.1.y += drift.y * drift.y
        covariance.2.z += drift.z * drift.z

        let size = size.vector
        let spread = SIMD3(
            (covariance.0 * size).sum(),
            (covariance.1 * size).sum(),
            (covariance.2 * size).sum()
        )
        let expected = (coefficients * size).sum()
        let noise = expected * Self.noise
        let gain = spread / ((spread * size).sum() + noise * noise)
        // A step in which the machine was away says little.
        let error = min(seconds - expected, expected / 2)
        let least = coefficients / 2
        coefficients += gain * error
        coefficients.replace(with: least, where: coefficients .< least)
        covariance.0 -= gain.x * spread
        covariance.1 -= gain.y * spread
        covariance.2 -= gain.z * spread
    }
}
