import CApusKernels

/// Measures what the machine can do at most: the limits that benchmarks print shares of.
///
/// Uses all compute threads, as the operations do. Not thread-safe.
public final class MachineProbe {
    /// The read limit is measured on this many bytes: more than any cache holds.
    public static let readByteCount = 1 << 30

    private let compute: Compute
    private let memory: Arena
    private let buffer: UnsafeMutableRawPointer
    private let sinks: UnsafeMutableRawPointer
    private var position = 0

    /// Reserves and touches the read buffer.
    /// - Throws: `ApusError` (`outOfMemory`).
    public init(compute: Compute) throws {
        self.compute = compute
        let sinkByteCount = 64 * compute.threadCount
        memory = try Arena(name: "probe", byteCount: Self.readByteCount + sinkByteCount)
        buffer = memory.allocate(byteCount: Self.readByteCount)
        sinks = memory.allocate(byteCount: sinkByteCount)
        for page in stride(from: 0, to: Self.readByteCount, by: 4096) {
            buffer.storeBytes(of: UInt64(truncatingIfNeeded: page), toByteOffset: page, as: UInt64.self)
        }
    }

    /// Reads for about the given time, going on where the last call stopped.
    /// - Returns: bytes per second.
    public func readRate(for duration: Duration) -> Double {
        let stretch = 32 << 20
        let start = ContinuousClock.now
        var bytes = 0
        repeat {
            if position + stretch > Self.readByteCount { position = 0 }
            let arguments = ReadArguments(buffer: buffer + position, chunk: stretch / compute.threadCount / 4096 * 4096)
            compute.pool.run(readChunk, arguments, count: compute.threadCount, split: .runs)
            position += stretch
            bytes += arguments.chunk * compute.threadCount
        } while start.duration(to: .now) < duration
        return Double(bytes) / (start.duration(to: .now) / .seconds(1))
    }

    /// 8-bit multiply-adds per second: the best of several warm rounds.
    public func dotPeak() -> Double { peak(isDot: true) }

    /// Float multiply-adds per second: the best of several warm rounds.
    public func fmaPeak() -> Double { peak(isDot: false) }

    private func peak(isDot: Bool) -> Double {
        var best = 0.0
        for _ in 0..<8 {
            let arguments = PeakArguments(
                tier: Int32(compute.kernels.tier.rawTier.rawValue),
                isDot: isDot,
                iterations: isDot ? 2_000_000 : 1_000_000,
                sinks: sinks
            )
            let start = ContinuousClock.now
            compute.pool.run(peakRound, arguments, count: compute.threadCount, split: .runs)
            let seconds = start.duration(to: .now) / .seconds(1)
            let done = (0..<compute.threadCount).reduce(0) { $0 + (sinks + 64 * $1).load(as: Int.self) }
            best = max(best, Double(done) / seconds)
        }
        return best
    }
}

private struct ReadArguments: BitwiseCopyable {
    let buffer: UnsafeMutableRawPointer
    let chunk: Int
}

private struct PeakArguments: BitwiseCopyable {
    let tier: Int32
    let isDot: Bool
    let iterations: Int64
    /// A line of 64 bytes per thread: the work done, then the kernel's result.
    let sinks: UnsafeMutableRawPointer
}

private let readChunk: apus_range_kernel = { arguments, begin, end, _ in
    let read = arguments.load(as: ReadArguments.self)
    for thread in Int(begin)..<Int(end) { _ = apus_probe_read(read.buffer + thread * read.chunk, Int64(read.chunk)) }
}

private let peakRound: apus_range_kernel = { arguments, begin, end, _ in
    let peak = arguments.load(as: PeakArguments.self)
    for thread in Int(begin)..<Int(end) {
        let line = peak.sinks + 64 * thread
        let done =
            peak.isDot
            ? apus_probe_dot(peak.tier, peak.iterations, (line + 8).assumingMemoryBound(to: Int32.self))
            : apus_probe_fma(peak.tier, peak.iterations, (line + 8).assumingMemoryBound(to: Float.self))
        line.storeBytes(of: Int(done), as: Int.self)
    }
}
