package import ApusCore
import CApusKernels

/// Elements of a file turned into another type: decoded, then encoded as loading with a quantization does it.
package struct ElementConversion {
    private let stored: ElementType
    private let wanted: ElementType
    private let importance: [Float]
    /// Elements that a thread takes at once: a row, where rows have headers, otherwise whole blocks of every type.
    ///
    /// Calls of `convert` begin at a multiple of it and end at one, or with the tensor.
    package let unitLength: Int
    /// Bytes of so many in the file.
    package let storedUnitByteCount: Int
    private let wantedUnitByteCount: Int

    /// A conversion between any two types.
    /// - Parameters:
    ///   - rowLength: elements of a row, a whole number of blocks of both types.
    ///   - importance: what the squared error of each column of a row counts, finite, above 0 and around 1; empty if
    ///     all count the same. As many as a row has elements, or as several rows that come again and again.
    /// - Throws: `ApusError` (`unsupported`) if rows have headers and are too long for a thread's memory.
    package init(from stored: ElementType, to wanted: ElementType, rowLength: Int, importance: [Float] = []) throws {
        precondition(importance.count % rowLength == 0)
        self.stored = stored
        self.wanted = wanted
        self.importance = importance
        unitLength = Self.haveHeaders(stored, wanted) ? rowLength : Self.blocksLength
        guard unitLength <= Int(APUS_SCRATCH_BYTES) / MemoryLayout<Float>.stride,
            let storedBytes = stored.byteCount(elementCount: unitLength),
            let wantedBytes = wanted.byteCount(elementCount: unitLength)
        else {
            throw ApusError(.unsupported, "rows of \(rowLength) elements cannot become \(wanted)")
        }
        (storedUnitByteCount, wantedUnitByteCount) = (storedBytes, wantedBytes)
    }

    private static func haveHeaders(_ stored: ElementType, _ wanted: ElementType) -> Bool {
        stored.rowHeaderByteCount > 0 || wanted.rowHeaderByteCount > 0
    }

    /// Whole blocks of every type, and their floats fit a thread's scratch.
    private static let blocksLength = 64 * 256

    /// The elements of `source` in the wanted type, computed by all threads.
    /// - Parameters:
    ///   - source: units, the last one perhaps shorter.
    ///   - first: how many elements of the tensor lie before them.
    /// - Throws: `ApusError` (`malformedFile`) if one is no finite number, in the file or in the wanted type.
    package func convert(_ source: RawSpan, from first: Int = 0, compute: Compute) throws -> [UInt8] {
        let (units, restBytes) = source.byteCount.quotientAndRemainder(dividingBy: storedUnitByteCount)
        let rest = restBytes == 0 ? 0 : stored.elementCount(byteCount: restBytes)
        guard let rest, let wantedRest = rest == 0 ? 0 : wanted.byteCount(elementCount: rest),
            rest == 0 || !Self.haveHeaders(stored, wanted)
        else {
            throw ApusError(
                .malformedFile,
                "\(source.byteCount) bytes of \(stored) are no whole number of \(wanted) blocks"
            )
        }
        let count = units * unitLength + rest
        let byteCount = units * wantedUnitByteCount + wantedRest
        let unitCount = units + (rest > 0 ? 1 : 0)
        let output = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initialized in
            source.withUnsafeBytes { bytes in
                guard let input = bytes.baseAddress, let output = buffer.baseAddress else { return }
                importance.withUnsafeBufferPointer { importance in
                    let arguments = ConversionArguments(
                        source: input,
                        output: UnsafeMutableRawPointer(output),
                        count: count,
                        unitLength: unitLength,
                        decode: ElementCodec.codec(of: stored).decode,
                        codec: ElementCodec.row(of: wanted),
                        importance: importance.baseAddress,
                        width: importance.count,
                        first: first,
                        storedBytesPerUnit: storedUnitByteCount,
                        wantedBytesPerUnit: wantedUnitByteCount
                    )
                    compute.pool.run(convertUnits, arguments, count: unitCount, split: .claims(grain: 1))
                }
            }
            initialized = byteCount
        }
        // What was no finite number stays none in every type, and what is too large for binary16 becomes none.
        guard output.withUnsafeBytes({ FiniteCheck.areFinite($0, wanted, rowByteCount: wantedUnitByteCount) }) else {
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
        // Up to the end of each row: importance starts anew there. Rows are whole blocks, so the parts are; where rows have
        // headers, a unit is one.
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
