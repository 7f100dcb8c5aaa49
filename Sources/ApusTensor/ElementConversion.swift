package import ApusCore
import CApusKernels

/// Elements of a file turned into another type: decoded, then encoded as loading with a quantization does it.
package struct ElementConversion {
    private let stored: ElementType
    private let wanted: ElementType
    private let importance: [Float]

    /// A conversion between any two types.
    /// - Parameter importance: what the squared error of each column of a row counts, finite, above 0 and around 1; empty if
    ///   all count the same. As many as a row has elements, which is a whole number of the wanted type's blocks.
    package init(from stored: ElementType, to wanted: ElementType, importance: [Float] = []) {
        precondition(importance.count % wanted.blockLength == 0)
        self.stored = stored
        self.wanted = wanted
        self.importance = importance
    }

    /// Elements that a thread takes at once: whole blocks of every type, and their floats fit its scratch.
    private static let unitLength = 64 * 256

    /// The elements of `source` in the wanted type, computed by all threads.
    /// - Parameters:
    ///   - source: a whole number of blocks of both types.
    ///   - first: how many elements of the tensor lie before them: also a whole number of blocks.
    /// - Throws: `ApusError` (`malformedFile`) if one is no finite number, in the file or in the wanted type.
    package func convert(_ source: RawSpan, from first: Int = 0, compute: Compute) throws -> [UInt8] {
        let (blocks, rest) = source.byteCount.quotientAndRemainder(dividingBy: stored.blockByteCount)
        let count = blocks * stored.blockLength
        guard rest == 0, let byteCount = wanted.byteCount(elementCount: count) else {
            throw ApusError(
                .malformedFile,
                "\(source.byteCount) bytes of \(stored) are no whole number of \(wanted) blocks"
            )
        }
        let unitCount = (count + Self.unitLength - 1) / Self.unitLength
        let output = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initialized in
            source.withUnsafeBytes { bytes in
                guard let input = bytes.baseAddress, let output = buffer.baseAddress else { return }
                importance.withUnsafeBufferPointer { importance in
                    let arguments = ConversionArguments(
                        source: input,
                        output: UnsafeMutableRawPointer(output),
                        count: count,
                        unitLength: Self.unitLength,
                        decode: ElementCodec.codec(of: stored).decode,
                        codec: ElementCodec.row(of: wanted),
                        importance: importance.baseAddress,
                        width: importance.count,
                        first: first,
                        storedBytesPerUnit: Self.unitLength / stored.blockLength * stored.blockByteCount,
                        wantedBytesPerUnit: Self.unitLength / wanted.blockLength * wanted.blockByteCount
                    )
                    compute.pool.run(convertUnits, arguments, count: unitCount, split: .claims(grain: 1))
                }
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
    let codec: UnsafePointer<apus_codec>
    // Outlives the run, whose caller holds the array; nil where all columns count the same.
    let importance: UnsafePointer<Float>?
    let width: Int
    let first: Int
    let storedBytesPerUnit: Int
    let wantedBytesPerUnit: Int
}

private let convertUnits: apus_range_kernel = { arguments, begin, end, scratch in
    let work = arguments.load(as: ConversionArguments.self)
    let floats = scratch.bindMemory(to: Float.self, capacity: work.unitLength)
    for unit in Int(begin)..<Int(end) {
        let length = min(work.unitLength, work.count - unit * work.unitLength)
        let output = work.output + unit * work.wantedBytesPerUnit
        work.decode(work.source + unit * work.storedBytesPerUnit, floats, Int64(length))
        guard let importance = work.importance, work.width > 0 else {
            work.codec.pointee.encode(floats, output, Int64(length))
            continue
        }
        // Up to the end of each row: importance starts anew there. Rows are whole blocks, so the parts are.
        var done = 0
        while done < length {
            let column = (work.first + unit * work.unitLength + done) % work.width
            let count = min(work.width - column, length - done)
            let target = output + done / Int(work.codec.pointee.block_length) * Int(work.codec.pointee.block_bytes)
            apus_encode_weighted(work.codec, floats + done, importance + column, target, Int64(count))
            done += count
        }
    }
}
