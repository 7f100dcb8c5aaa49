import CApusKernels

/// Measures how fast the machine reads memory: what decoding is measured against.
///
/// Uses all compute threads, as the operations do. Not thread-safe.
public final class ReadProbe {
    /// The limit is measured on this many bytes: more than any cache holds.
    public static let readByteCount = 1 << 30

    private let compute: Compute
    private let memory: Arena
    private let buffer: UnsafeMutableRawPointer
    private var position = 0

    /// Reserves and touches the read buffer.
    /// - Throws: `ApusError` (`outOfMemory`).
    public init(compute: Compute) throws {
        self.compute = compute
        memory = try Arena(name: "probe", byteCount: Self.readByteCount)
        buffer = memory.allocate(byteCount: Self.readByteCount)
        for page in stride(from: 0, to: Self.readByteCount, by: 4096) {
            buffer.storeBytes(of: UInt64(truncatingIfNeeded: page), toByteOffset: page, as: UInt64.self)
        }
    }

    /// Reads for about the given time, going on where the last call stopped; split over the threads as a product of one
    /// row is.
    /// - Returns: bytes per second.
    public func readRate(for duration: Duration) -> Double {
        let start = ContinuousClock.now
        var bytes = 0
        repeat {
            if position + Self.stretchByteCount > Self.readByteCount { position = 0 }
            let chunkCount = Self.stretchByteCount / readChunkByteCount
            compute.pool.run(readChunks, ReadArguments(buffer: buffer + position), count: chunkCount, split: .runs())
            position += Self.stretchByteCount
            bytes += Self.stretchByteCount
        } while start.duration(to: .now) < duration
        return Double(bytes) / (start.duration(to: .now) / .seconds(1))
    }

    private static let stretchByteCount = 64 << 20
}

private let readChunkByteCount = 128 << 10

private struct ReadArguments: BitwiseCopyable {
    let buffer: UnsafeMutableRawPointer
}

private let readChunks: apus_range_kernel = { arguments, begin, end, _ in
    let buffer = arguments.load(as: ReadArguments.self).buffer
    _ = apus_probe_read(buffer + Int(begin) * readChunkByteCount, (end - begin) * Int64(readChunkByteCount))
}
