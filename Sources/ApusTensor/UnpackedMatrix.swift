package import ApusCore
import CApusKernels

/// A matrix that has its place but whose rows are still in a file.
///
/// A model is put together of these first, which costs no memory, so that a file with anything missing or misshapen is
/// refused before its weights are read.
package struct UnpackedMatrix {
    /// The matrix; its weights are there once `pack` has returned.
    package let matrix: PackedMatrix
    private let source: FileBytes
    private let stored: ElementType
    private let rowBytes: Int
    private let conversion: Conversion?

    /// - Parameters:
    ///   - name: the tensor's GGUF name.
    ///   - source: the rows, `outputs` times the stored type's row bytes.
    ///   - stored: the element type in the file; `inputs` is a multiple of its block length.
    ///   - type: the element type to hold; other than `stored`, rows are decoded and rounded to nearest on the way.
    /// - Throws: `ApusError` (`malformedFile`) if the sizes do not match.
    package init(
        name: String = "",
        _ source: FileBytes,
        stored: ElementType,
        as type: ElementType,
        outputs: Int,
        inputs: Int,
        arena: Arena,
        kernels: KernelTable
    ) throws {
        guard outputs > 0, inputs > 0, let rowBytes = stored.byteCount(elementCount: inputs),
            let heldRowBytes = type.byteCount(elementCount: inputs)
        else {
            throw ApusError(.malformedFile, "a \(type) matrix cannot have rows of \(inputs) elements")
        }
        guard source.count == outputs * rowBytes else {
            throw ApusError(.malformedFile, "expected \(outputs * rowBytes) bytes of \(stored), found \(source.count)")
        }
        matrix = PackedMatrix(name: name, type: type, outputs: outputs, inputs: inputs, arena: arena, kernels: kernels)
        self.source = source
        self.stored = stored
        self.rowBytes = rowBytes
        conversion = type == stored ? nil : Conversion(from: stored, to: type, heldRowBytes: heldRowBytes)
        let neededScratch = Int(matrix.format.tile_rows) * heldRowBytes + inputs * MemoryLayout<Float>.stride
        guard conversion == nil || neededScratch <= Int(APUS_SCRATCH_BYTES) else {
            throw ApusError(.unsupported, "rows of \(inputs) elements are too long to convert to \(type) while loading")
        }
    }

    /// Looks for scales and numbers that are not finite.
    ///
    /// A pass of its own, before anything is packed: it reads the file's pages, which packing needs anyway, and a file
    /// with a broken last tensor costs no memory for all the others.
    /// - Throws: `ApusError` (`malformedFile`) naming the row.
    package func checkFinite(_ compute: Compute) throws {
        let unitCount = min(matrix.outputCount, Self.checkUnitCount)
        try withUnsafeTemporaryAllocation(of: Bool.self, capacity: unitCount) { areFinite in
            source.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress, let areFinite = areFinite.baseAddress else { return }
                let arguments = CheckArguments(
                    source: base,
                    stored: stored,
                    rowBytes: rowBytes,
                    rowCount: matrix.outputCount,
                    unitCount: unitCount,
                    areFinite: areFinite
                )
                compute.pool.run(checkRows, arguments, count: unitCount, split: .claims(grain: 1))
            }
            if let unit = areFinite.firstIndex(of: false) {
                throw notFinite(CheckArguments.rows(of: unit, unitCount: unitCount, rowCount: matrix.outputCount))
            }
        }
    }

    private static let checkUnitCount = 32

    /// Packs the rows, and lets go of the file's pages as it goes, so that the weights are in memory once.
    ///
    /// In stretches of some megabytes, so that file pages and packed pages are never resident together for long.
    package func pack(_ compute: Compute) {
        let tilesPerStretch = max(1, (8 << 20) / matrix.tileByteCount)
        source.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            var first = 0
            while first < matrix.tileCount {
                let count = min(tilesPerStretch, matrix.tileCount - first)
                let arguments = PackArguments(
                    format: matrix.format,
                    source: base,
                    rowBytes: rowBytes,
                    conversion: conversion,
                    outputs: matrix.outputCount,
                    inputs: matrix.inputCount,
                    tileBytes: matrix.tileByteCount,
                    firstTile: first,
                    weights: matrix.weights
                )
                compute.pool.run(packTiles, arguments, count: count, split: .claims(grain: max(1, count / 16)))
                let tileRows = Int(matrix.format.tile_rows)
                let begin = source.offset + first * tileRows * rowBytes
                let end = source.offset + min((first + count) * tileRows, matrix.outputCount) * rowBytes
                source.file.release(begin..<end)
                first += count
            }
        }
    }

    /// The error for the first of `rows` that holds something else than finite numbers.
    private func notFinite(_ rows: Range<Int>) -> ApusError {
        let row = source.withUnsafeBytes { bytes in
            rows.first { row in
                let part = UnsafeRawBufferPointer(rebasing: bytes[row * rowBytes..<(row + 1) * rowBytes])
                return !FiniteCheck.areFinite(part, stored, rowByteCount: rowBytes)
            }
        }
        let expected = stored.isQuantized ? "finite scales" : "finite numbers"
        return ApusError(
            .malformedFile,
            "row \(row ?? rows.lowerBound): expected \(expected), found NaN or an infinity"
        )
    }
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

private struct CheckArguments: BitwiseCopyable {
    let source: UnsafeRawPointer
    let stored: ElementType
    let rowBytes: Int
    let rowCount: Int
    let unitCount: Int
    /// A flag for each unit, written by whoever checks it.
    let areFinite: UnsafeMutablePointer<Bool>

    /// The rows of a unit.
    static func rows(of unit: Int, unitCount: Int, rowCount: Int) -> Range<Int> {
        unit * rowCount / unitCount..<(unit + 1) * rowCount / unitCount
    }
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

private let checkRows: apus_range_kernel = { arguments, begin, end, _ in
    let check = arguments.load(as: CheckArguments.self)
    for unit in Int(begin)..<Int(end) {
        let rows = CheckArguments.rows(of: unit, unitCount: check.unitCount, rowCount: check.rowCount)
        let start = check.source + rows.lowerBound * check.rowBytes
        let bytes = UnsafeRawBufferPointer(start: start, count: rows.count * check.rowBytes)
        let areFinite = FiniteCheck.areFinite(bytes, check.stored, rowByteCount: check.rowBytes)
        (check.areFinite + unit).initialize(to: areFinite)
    }
}
