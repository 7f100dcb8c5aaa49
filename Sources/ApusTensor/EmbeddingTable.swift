package import ApusCore
import CApusKernels

/// Rows looked up by token id: a packed matrix that also serves as the output layer, or rows left in the file.
public struct EmbeddingTable: Sendable {
    private enum Storage: Sendable {
        case packed(PackedMatrix)
        case mapped(FileBytes, ElementType, rowByteCount: Int)
    }

    private let storage: Storage
    /// Rows: the vocabulary's size.
    public let rowCount: Int
    /// Floats in a row.
    public let width: Int

    /// A table that shares the output layer's weights.
    package init(tiedTo matrix: PackedMatrix) {
        storage = .packed(matrix)
        rowCount = matrix.outputCount
        width = matrix.inputCount
    }

    /// A table read from the mapped file row by row: only the rows in use become resident.
    package init(_ bytes: FileBytes, type: ElementType, rowCount: Int, width: Int) throws {
        guard let rowByteCount = type.byteCount(elementCount: width), rowByteCount * rowCount == bytes.count else {
            throw ApusError(
                .malformedFile,
                "a \(type) table of \(rowCount) x \(width) does not fit \(bytes.count) bytes"
            )
        }
        storage = .mapped(bytes, type, rowByteCount: rowByteCount)
        self.rowCount = rowCount
        self.width = width
    }

    /// Writes row `index` into row `outputRow` of `output`.
    package func decode(_ index: Int, into output: FloatRows, at outputRow: Int) {
        precondition(index >= 0 && index < rowCount && output.width == width && outputRow < output.rowCount)
        switch storage {
        case .packed(let matrix):
            matrix.decode(row: index, into: output, at: outputRow)
        case .mapped(let bytes, let type, let rowByteCount):
            let row = UnsafeMutableBufferPointer(start: output.base + outputRow * output.stride, count: width)
            bytes.withUnsafeBytes { source in
                let part = UnsafeRawBufferPointer(rebasing: source[index * rowByteCount..<(index + 1) * rowByteCount])
                ElementCodec.decode(part, as: type, into: row)
            }
        }
    }
}
