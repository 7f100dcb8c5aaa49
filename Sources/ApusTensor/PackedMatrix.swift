public import ApusCore
package import CApusKernels

/// A weight matrix in the layout the kernels read: tiles of outputs, a lane per output.
///
/// Packing adds no byte to the file's size (but the rounding of the last tile). Immutable after loading, so it may be
/// shared between threads; it keeps its arena alive.
public final class PackedMatrix: @unchecked Sendable {
    /// The tensor's GGUF name, by which observers know the matrix.
    package let name: String
    /// Rows of the matrix: the length of the output.
    public let outputCount: Int
    /// Columns of the matrix: the length of the input.
    public let inputCount: Int
    /// How the file stored the elements.
    public let type: ElementType

    package let format: apus_format
    package let weights: UnsafeMutableRawPointer
    package let tileByteCount: Int
    private let arena: Arena

    /// Bytes a packed matrix takes in an arena.
    public static func byteCount(type: ElementType, outputs: Int, inputs: Int, kernels: KernelTable) -> Int {
        let format = kernels.format(of: type)
        let tiles = (outputs + Int(format.tile_rows) - 1) / Int(format.tile_rows)
        return Arena.roundedUp(tiles * Int(format.tile_bytes(Int64(inputs))))
    }

    /// Takes a place in an arena for a matrix whose weights follow.
    ///
    /// `inputs` is a whole number of blocks.
    init(name: String, type: ElementType, outputs: Int, inputs: Int, arena: Arena, kernels: KernelTable) {
        precondition(outputs > 0 && inputs > 0 && inputs % type.blockLength == 0)
        format = kernels.format(of: type)
        self.name = name
        outputCount = outputs
        inputCount = inputs
        self.type = type
        self.arena = arena
        tileByteCount = Int(format.tile_bytes(Int64(inputs)))
        let tileCount = (outputs + Int(format.tile_rows) - 1) / Int(format.tile_rows)
        weights = arena.allocate(byteCount: tileCount * tileByteCount)
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

    /// Replaces the weights of a matrix of floats, for who changes a model that nobody else uses.
    /// - Parameters:
    ///   - rows: a row for each output.
    ///   - order: row `n` of `rows` becomes row `order(n)` of the matrix.
    package func replace(with rows: FloatRows, order: ((Int) -> Int)? = nil) {
        precondition(type == .f32 && rows.rowCount == outputCount && rows.width == inputCount)
        let tileRows = Int(format.tile_rows)
        var places = [Int](repeating: 0, count: outputCount)
        for row in 0..<outputCount { places[order?(row) ?? row] = row }
        var tile = [Float](repeating: 0, count: tileRows * inputCount)
        for first in stride(from: 0, to: outputCount, by: tileRows) {
            let count = min(tileRows, outputCount - first)
            tile.withUnsafeMutableBufferPointer { tile in
                guard let base = tile.baseAddress else { return }
                for row in 0..<count {
                    (base + row * inputCount)
                        .update(from: rows.base + places[first + row] * rows.stride, count: inputCount)
                }
                format.pack(
                    base,
                    Int64(inputCount * MemoryLayout<Float>.stride),
                    Int64(count),
                    Int64(inputCount),
                    weights + first / tileRows * tileByteCount
                )
            }
        }
    }

    /// Tiles of outputs: the units of a matmul.
    package var tileCount: Int { (outputCount + Int(format.tile_rows) - 1) / Int(format.tile_rows) }

    /// Multiply-adds of a matmul with one row.
    package var multiplyAddCount: Int { outputCount * inputCount }

    /// Bytes a matmul with one row reads.
    package var byteCount: Int { tileCount * tileByteCount }
}
