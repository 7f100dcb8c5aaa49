public import ApusCore
package import CApusKernels

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
    ///   - source: the rows, `outputs` times the stored type's row bytes.
    ///   - stored: the element type in the file; `inputs` is a multiple of its block length.
    ///   - type: the element type to hold; other than `stored`, rows are decoded and rounded to nearest on the way.
    /// - Throws: `ApusError` (`malformedFile`) if the sizes do not match.
    package init(
        _ source: FileBytes,
        stored: ElementType,
        as type: ElementType,
        outputs: Int,
        inputs: Int,
        arena: Arena,
        compute: Compute
    ) throws {
        guard outputs > 0, inputs > 0, let rowBytes = stored.byteCount(elementCount: inputs),
            let heldRowBytes = type.byteCount(elementCount: inputs)
        else {
            throw ApusError(.malformedFile, "a \(type) matrix cannot have rows of \(inputs) elements")
        }
        guard source.count == outputs * rowBytes else {
            throw ApusError(.malformedFile, "expected \(outputs * rowBytes) bytes of \(stored), found \(source.count)")
        }
        format = compute.kernels.format(of: type)
        outputCount = outputs
        inputCount = inputs
        self.type = type
        self.arena = arena
        tileByteCount = Int(format.tile_bytes(Int64(inputs)))
        let tileCount = (outputs + Int(format.tile_rows) - 1) / Int(format.tile_rows)
        weights = arena.allocate(byteCount: tileCount * tileByteCount)
        let conversion = type == stored ? nil : Conversion(from: stored, to: type, heldRowBytes: heldRowBytes)
        let neededScratch = Int(format.tile_rows) * heldRowBytes + inputs * MemoryLayout<Float>.stride
        guard conversion == nil || neededScratch <= Int(APUS_SCRATCH_BYTES) else {
            throw ApusError(.unsupported, "rows of \(inputs) elements are too long to convert to \(type) while loading")
        }
        pack(source, rowBytes: rowBytes, conversion: conversion, tileCount: tileCount, pool: compute.pool)
    }

    /// Packs in stretches of some megabytes, so that file pages and packed pages are never resident together for long.
    private func pack(
        _ source: FileBytes,
        rowBytes: Int,
        conversion: Conversion?,
        tileCount: Int,
        pool: WorkerPool
    ) {
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
                    conversion: conversion,
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
    let conversion: Conversion?
    let outputs: Int
    let inputs: Int
    let tileBytes: Int
    let firstTile: Int
    let weights: UnsafeMutableRawPointer
}

/// Rows decoded from one element type and rounded to another.
private struct Conversion: BitwiseCopyable {
    let decode: @convention(c) (UnsafeRawPointer, UnsafeMutablePointer<Float>, Int64) -> Void
    let encode: @convention(c) (UnsafePointer<Float>, UnsafeMutableRawPointer, Int64) -> Void
    let heldRowBytes: Int

    init(from stored: ElementType, to held: ElementType, heldRowBytes: Int) {
        decode = ElementCodec.codec(of: stored).decode
        encode = ElementCodec.codec(of: held).encode
        self.heldRowBytes = heldRowBytes
    }

    /// Converts rows into scratch memory and returns them there.
    func convert(
        _ source: UnsafeRawPointer,
        rows: Int,
        rowBytes: Int,
        inputs: Int,
        scratch: UnsafeMutableRawPointer
    ) -> UnsafeRawPointer {
        let floats = scratch.bindMemory(to: Float.self, capacity: inputs)
        let held = scratch + inputs * MemoryLayout<Float>.stride
        for row in 0..<rows {
            decode(source + row * rowBytes, floats, Int64(inputs))
            encode(floats, held + row * heldRowBytes, Int64(inputs))
        }
        return UnsafeRawPointer(held)
    }
}

private let packTiles: apus_range_kernel = { arguments, begin, end, scratch in
    let pack = arguments.load(as: PackArguments.self)
    let tileRows = Int(pack.format.tile_rows)
    for tile in pack.firstTile + Int(begin)..<pack.firstTile + Int(end) {
        let rows = min(tileRows, pack.outputs - tile * tileRows)
        var source = pack.source + tile * tileRows * pack.rowBytes
        var stride = pack.rowBytes
        if let conversion = pack.conversion {
            source = conversion.convert(
                source,
                rows: rows,
                rowBytes: pack.rowBytes,
                inputs: pack.inputs,
                scratch: scratch
            )
            stride = conversion.heldRowBytes
        }
        pack.format.pack(source, Int64(stride), Int64(rows), Int64(pack.inputs), pack.weights + tile * pack.tileBytes)
    }
}
