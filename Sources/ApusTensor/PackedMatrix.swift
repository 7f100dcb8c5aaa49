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

    /// Tiles of outputs: the units of a matmul.
    package var tileCount: Int { (outputCount + Int(format.tile_rows) - 1) / Int(format.tile_rows) }

    /// Multiply-adds of a matmul with one row.
    package var multiplyAddCount: Int { outputCount * inputCount }

    /// Bytes a matmul with one row reads.
    package var byteCount: Int { tileCount * tileByteCount }
}
