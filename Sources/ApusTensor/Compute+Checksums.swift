package import ApusCore
import CApusKernels

extension Compute {
    /// Checksums of a file's stretches of 4 MiB, computed by all threads: what identifies a file of any size quickly.
    ///
    /// Pages leave resident memory once they are read.
    package func checksums(of file: MappedFile) -> [UInt64] {
        let count = (file.byteCount + stretchByteCount - 1) / stretchByteCount
        var sums = [UInt64](repeating: 0, count: count)
        file.withUnsafeBytes { bytes in
            sums.withUnsafeMutableBufferPointer { sums in
                guard let output = sums.baseAddress else { return }
                let arguments = ChecksumArguments(bytes: bytes, output: output)
                pool.run(checksumStretches, arguments, count: count, split: .claims(grain: 1))
            }
        }
        file.release(0..<file.byteCount)
        return sums
    }
}

private let stretchByteCount = 4 << 20

private struct ChecksumArguments: BitwiseCopyable {
    let bytes: UnsafeRawBufferPointer
    let output: UnsafeMutablePointer<UInt64>
}

private let checksumStretches: apus_range_kernel = { arguments, begin, end, _ in
    let work = arguments.load(as: ChecksumArguments.self)
    for stretch in Int(begin)..<Int(end) {
        let start = stretch * stretchByteCount
        let part = UnsafeRawBufferPointer(rebasing: work.bytes[start..<min(start + stretchByteCount, work.bytes.count)])
        work.output[stretch] = Checksum.of(part.bytes)
    }
}
