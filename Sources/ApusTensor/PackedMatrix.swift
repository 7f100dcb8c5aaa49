package import CApusKernels
public import ApusCore

/// A weight matrix in the layout the kernels read: tiles of outputs, a lane per output.
///
/// Packing adds no byte to the file's size (but the rounding of the last tile). Immutable after loading, so it may be
/// shared between threads; it keeps its arena alive.
public final class PackedMatrix: @unchecked Sendable {
    /// Rows of the matrix: the length of the output.
    public let outputCount: Int
    /// Columns of the matrix: the length of the input.
    public let inputCount: Int
    /// How the file stored the elements.
    public let type: ElementType

    package let format: apus_format
    package let weights: UnsafeMutableRawPointer
    private let tileByteCount: Int
    private let arena: Arena

    /// Bytes a packed matrix takes in an arena.
    public static func byteCount(type: ElementType, outputs: Int, inputs: Int, kernels: KernelTable) -> Int {
        let format = kernels.format(of: type)
        let tiles = (outputs + Int(format.tile_rows) - 1) / Int(format.tile_rows)
        return Arena.roundedUp(tiles * Int(format.tile_bytes(Int64(inputs))))
    }

    /// Packs a matrix stored row by row in a file, and lets go of the file's pages as it goes, so that the weights
    /// are in memory once.
    /// - Parameters:
    ///   - source: the rows, `outputs` times the type's row bytes.
    ///   - type: the element type; `inputs` is a multiple of its block length.
    /// - Throws: `ApusError` (`malformedFile`) if the sizes do not match.
    package init(
        _ source: FileBytes,
        type: ElementType,
        outputs: Int,
        inputs: Int,
        arena: Arena,
        compute: Compute
    ) throws {
        guard outputs > 0, inputs > 0, let rowBytes = type.byteCount(elementCount: inputs) else {
            throw ApusError(.malformedFile, "a \(type) matrix cannot have rows of \(inputs) elements")
        }
        guard source.count == outputs * rowBytes else {
            throw ApusError(.malformedFile, "expected \(outputs * rowBytes) bytes of \(type), found \(source.count)")
        }
        format = compute.kernels.format(of: type)
        outputCount = outputs
        inputCount = inputs
        self.type = type
        self.arena = arena
        tileByteCount = Int(format.tile_bytes(Int64(inputs)))
        let tileCount = (outputs + Int(format.tile_rows) - 1) / Int(format.tile_rows)
        weights = arena.allocate(byteCount: tileCount * tileByteCount)
        pack(source, rowBytes: rowBytes, tileCount: tileCount, pool: compute.pool)
    }

    /// Packs in stretches of some megabytes, so that file pages and packed pages are never resident together for long.
    private func pack(_ source: FileBytes, rowBytes: Int, tileCount: Int, pool: WorkerPool) {
        let tilesPerStretch = max(1, (8 << 20) / tileByteCount)
        source.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            var first = 0
            while first < tileCount {
                let count = min(tilesPerStretch, tileCount - first)
                let arguments = PackArguments(
                    format: format,
                    source: base,
                    rowBytes: rowBytes,
                    outputs: outputCount,
                    inputs: inputCount,
                    tileBytes: tileByteCount,
                    firstTile: first,
                    weights: weights
                )
                pool.run(packTiles, arguments, count: count, split: .claims(grain: max(1, count / 16)))
                let begin = source.offset + first * Int(format.tile_rows) * rowBytes
                let end = source.offset + min((first + count) * Int(format.tile_rows), outputCount) * rowBytes
                source.file.release(begin..<end)
                first += count
            }
        }
    }

    /// Decodes one row (an embedding) into a row of `inputCount` floats.
    package func decode(row: Int, into output: FloatRows, at outputRow: Int) {
        precondition(row >= 0 && row < outputCount && output.width == inputCount && outputRow < output.rowCount)
        let (tile, lane) = row.quotientAndRemainder(dividingBy: Int(format.tile_rows))
        format.unpack_row(
            weights + tile * tileByteCount,
            Int64(lane),
            Int64(inputCount),
            output.base + outputRow * output.stride
        )
    }

    /// Tiles of outputs: the units of a matmul.
    package var tileCount: Int { (outputCount + Int(format.tile_rows) - 1) / Int(format.tile_rows) }

    /// Bytes a matmul with one row reads.
    package var byteCount: Int { tileCount * tileByteCount }
}

private struct PackArguments: BitwiseCopyable {
    let format: apus_format
    let source: UnsafeRawPointer
    let rowBytes: Int
    let outputs: Int
    let inputs: Int
    let tileBytes: Int
    let firstTile: Int
    let weights: UnsafeMutableRawPointer
}

private let packTiles: apus_range_kernel = { arguments, begin, end, _ in
    let pack = arguments.load(as: PackArguments.self)
    let tileRows = Int(pack.format.tile_rows)
    for tile in pack.firstTile + Int(begin)..<pack.firstTile + Int(end) {
        pack.format.pack(
            pack.source + tile * tileRows * pack.rowBytes,
            Int64(pack.rowBytes),
            Int64(min(tileRows, pack.outputs - tile * tileRows)),
            Int64(pack.inputs),
            pack.weights + tile * pack.tileBytes
        )
    }
}
