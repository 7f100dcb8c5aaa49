import CApusKernels

/// The most multiply-adds that a tier can do in a second on this machine: what matrix products are measured against.
///
/// Taken with all compute threads, operands and accumulators in registers, as the best of several warm rounds: no kernel
/// of the tier can be faster.
public struct ComputePeaks: Sendable {
    /// 8-bit multiply-adds per second.
    public let dots: Double
    /// Float multiply-adds per second.
    public let fusedMultiplyAdds: Double

    /// Measures the tier of `compute`, in about a third of a second.
    /// - Throws: `ApusError` (`outOfMemory`).
    public init(measuring compute: Compute) throws {
        let memory = try Arena(name: "probe", byteCount: lineByteCount * compute.threadCount)
        let lines = memory.allocate(byteCount: memory.byteCount)
        // Pointers into an arena do not keep it.
        (dots, fusedMultiplyAdds) = withExtendedLifetime(memory) {
            (Self.best(isDot: true, lines: lines, compute), Self.best(isDot: false, lines: lines, compute))
        }
    }

    private static func best(isDot: Bool, lines: UnsafeMutableRawPointer, _ compute: Compute) -> Double {
        // A first round warms up and tells how many iterations fill a round: tiers differ by a factor of a hundred.
        var iterations = 10_000
        let first = rate(isDot: isDot, iterations: iterations, lines: lines, compute)
        iterations = max(iterations, Int(Double(iterations) * 0.015 / max(first.seconds, 1e-6)))
        return (0..<10).reduce(0) { best, _ in
            max(best, rate(isDot: isDot, iterations: iterations, lines: lines, compute).perSecond)
        }
    }

    private static func rate(
        isDot: Bool,
        iterations: Int,
        lines: UnsafeMutableRawPointer,
        _ compute: Compute
    ) -> (perSecond: Double, seconds: Double) {
        let arguments = PeakArguments(
            tier: Int32(compute.kernels.tier.rawTier.rawValue),
            isDot: isDot,
            iterations: Int64(iterations),
            lines: lines
        )
        let start = ContinuousClock.now
        compute.pool.run(peakRound, arguments, count: compute.threadCount, split: .claims(grain: 1))
        let seconds = start.duration(to: .now) / .seconds(1)
        let done = (0..<compute.threadCount).reduce(0) { $0 + (lines + lineByteCount * $1).load(as: Int.self) }
        return (Double(done) / seconds, seconds)
    }
}

/// Every thread writes to a cache line of its own.
private let lineByteCount = 64

private struct PeakArguments: BitwiseCopyable {
    let tier: Int32
    let isDot: Bool
    let iterations: Int64
    /// A line per thread: the work done, then what the probe leaves.
    let lines: UnsafeMutableRawPointer
}

private let peakRound: apus_range_kernel = { arguments, begin, end, _ in
    let peak = arguments.load(as: PeakArguments.self)
    for thread in Int(begin)..<Int(end) {
        let line = peak.lines + lineByteCount * thread
        let done =
            peak.isDot
            ? apus_probe_dot(peak.tier, peak.iterations, (line + 8).assumingMemoryBound(to: Int32.self))
            : apus_probe_fma(peak.tier, peak.iterations, (line + 8).assumingMemoryBound(to: Float.self))
        line.storeBytes(of: Int(done), as: Int.self)
    }
}
