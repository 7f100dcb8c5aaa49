public import ApusCore
package import CApusKernels

/// A float parameter vector (a norm's weight, a bias) in an arena.
///
/// Immutable after loading; valid as long as the arena it came from.
public struct Vector: @unchecked Sendable {
    package let base: UnsafePointer<Float>
    /// Number of elements.
    public let count: Int

    /// Takes a place in an arena for values that `fill` brings.
    package init(count: Int, arena: Arena) {
        base = UnsafePointer(arena.allocate(Float.self, count: count))
        self.count = count
    }

    /// Copies values into an arena.
    package init(_ values: [Float], arena: Arena) {
        self.init(count: values.count, arena: arena)
        fill(values)
    }

    /// Writes the values, once, before anyone reads them.
    package func fill(_ values: [Float]) {
        precondition(values.count == count)
        let place = UnsafeMutablePointer(mutating: base)
        for (index, value) in values.enumerated() { place[index] = value }
    }
}

/// Decodes and encodes elements of files: the definition of each quant format, the same on every tier.
public enum ElementCodec {
    /// The floats of `bytes`.
    /// - Parameters:
    ///   - bytes: a whole number of rows.
    ///   - type: how they are stored.
    ///   - rowLength: elements of a row; nil if the bytes are one row.
    /// - Throws: `ApusError` (`malformedFile`) if the bytes are not a whole number of blocks, or of rows.
    public static func decode(_ bytes: FileBytes, as type: ElementType, rowLength: Int? = nil) throws -> [Float] {
        let rowByteCount = try rowLength.map { try Self.rowByteCount(type, $0) } ?? bytes.count
        guard let width = type.elementCount(byteCount: rowByteCount), bytes.count % max(1, rowByteCount) == 0 else {
            throw ApusError(.malformedFile, "\(bytes.count) bytes are not a whole number of \(type) blocks")
        }
        let rowCount = bytes.count / max(1, rowByteCount)
        return bytes.withUnsafeBytes { source in
            [Float](unsafeUninitializedCapacity: rowCount * width) { buffer, initialized in
                for row in 0..<rowCount {
                    let part = source[row * rowByteCount..<(row + 1) * rowByteCount]
                    let target = UnsafeMutableBufferPointer(rebasing: buffer[row * width..<(row + 1) * width])
                    decode(UnsafeRawBufferPointer(rebasing: part), as: type, into: target)
                }
                initialized = rowCount * width
            }
        }
    }

    /// Encodes floats, rounding to nearest.
    ///
    /// - Parameters:
    ///   - values: a whole number of rows, and each a whole number of blocks.
    ///   - type: what they become.
    ///   - rowLength: elements of a row; nil if the values are one row.
    public static func encode(_ values: [Float], as type: ElementType, rowLength: Int? = nil) throws -> [UInt8] {
        let width = rowLength ?? values.count
        let rowByteCount = try Self.rowByteCount(type, width)
        guard values.count % max(1, width) == 0 else {
            throw ApusError(.invalidArgument, "\(values.count) values are not a whole number of rows of \(width)")
        }
        let rowCount = values.count / max(1, width)
        return [UInt8](unsafeUninitializedCapacity: rowCount * rowByteCount) { buffer, initialized in
            values.withUnsafeBufferPointer { source in
                guard let input = source.baseAddress, let output = buffer.baseAddress else { return }
                for row in 0..<rowCount {
                    codec(of: type).encode(input + row * width, output + row * rowByteCount, Int64(width))
                }
            }
            initialized = rowCount * rowByteCount
        }
    }

    private static func rowByteCount(_ type: ElementType, _ rowLength: Int) throws -> Int {
        guard let count = type.byteCount(elementCount: rowLength) else {
            throw ApusError(.invalidArgument, "\(rowLength) values are not a whole number of \(type) blocks")
        }
        return count
    }

    package static func decode(
        _ source: UnsafeRawBufferPointer,
        as type: ElementType,
        into output: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(type.byteCount(elementCount: output.count) == source.count)
        guard let input = source.baseAddress, let base = output.baseAddress else { return }
        codec(of: type).decode(input, base, Int64(output.count))
    }

    package static func codec(of type: ElementType) -> apus_codec { row(of: type).pointee }

    /// The codec's place in the kernels' static table.
    static func row(of type: ElementType) -> UnsafePointer<apus_codec> {
        guard let codec = apus_codec_for_type(Int32(type.rawValue)) else { preconditionFailure("no codec for \(type)") }
        return codec
    }
}
