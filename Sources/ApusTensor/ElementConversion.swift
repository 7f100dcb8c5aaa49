package import ApusCore
import CApusKernels

/// Elements of a file turned into another type: decoded, then encoded as loading with a quantization does it.
package struct ElementConversion {
    private let stored: ElementType
    private let wanted: ElementType

    /// A conversion between any two types.
    package init(from stored: ElementType, to wanted: ElementType) {
        self.stored = stored
        self.wanted = wanted
    }

    /// Elements that a thread takes at once: whole blocks of every type, and their floats fit its scratch.
    private static let unitLength = 64 * 256

    /// The elements of `source` in the wanted type, computed by all threads.
    /// - Parameter source: a whole number of blocks of both types.
    /// - Throws: `ApusError` (`malformedFile`) if one is no finite number, in the file or in the wanted type.
    package func convert(_ source: FileBytes, compute: Compute) throws -> [UInt8] {
        let (blocks, rest) = source.count.quotientAndRemainder(dividingBy: stored.blockByteCount)
        let count = blocks * stored.blockLength
        guard rest == 0, let byteCount = wanted.byteCount(elementCount: count) else {
            throw ApusError(
                .malformedFile,
                "\(source.count) bytes of \(stored) are no whole number of \(wanted) blocks"
            )
        }
        let unitCount = (count + Self.unitLength - 1) / Self.unitLength
        let output = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initialized in
            source.withUnsafeBytes { bytes in
                guard let input = bytes.baseAddress, let output = buffer.baseAddress else { return }
                let arguments = ConversionArguments(
                    source: input,
                    output: UnsafeMutableRawPointer(output),
                    count: count,
                    unitLength: Self.unitLength,
                    decode: ElementCodec.codec(of: stored).decode,
                    encode: ElementCodec.codec(of: wanted).encode,
                    storedBytesPerUnit: Self.unitLength / stored.blockLength * stored.blockByteCount,
                    wantedBytesPerUnit: Self.unitLength / wanted.blockLength * wanted.blockByteCount
                )
                compute.pool.run(convertUnits, arguments, count: unitCount, split: .claims(grain: 1))
            }
            initialized = byteCount
        }
        // What was no finite number stays none in every type, and what is too large for binary16 becomes none.
        guard output.withUnsafeBytes({ FiniteCheck.areFinite($0, wanted) }) else {
            throw ApusError(
                .malformedFile,
                "expected numbers that \(wanted) can hold, found NaN, an infinity or too large ones"
            )
        }
        return output
    }
}

private struct ConversionArguments: BitwiseCopyable {
    let source: UnsafeRawPointer
    let output: UnsafeMutableRawPointer
    let count: Int
    let unitLength: Int
    let decode: @convention(c) (UnsafeRawPointer, UnsafeMutablePointer<Float>, Int64) -> Void
    let encode: @convention(c) (UnsafePointer<Float>, UnsafeMutableRawPointer, Int64) -> Void
    let storedBytesPerUnit: Int
    let wantedBytesPerUnit: Int
}

private let convertUnits: apus_range_kernel = { arguments, begin, end, scratch in
    let work = arguments.load(as: ConversionArguments.self)
    let floats = scratch.bindMemory(to: Float.self, capacity: work.unitLength)
    for unit in Int(begin)..<Int(end) {
        let length = Int64(min(work.unitLength, work.count - unit * work.unitLength))
        work.decode(work.source + unit * work.storedBytesPerUnit, floats, length)
        work.encode(floats, work.output + unit * work.wantedBytesPerUnit, length)
    }
}
