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
    /// - Throws: `ApusError` (`malformedFile`) if the bytes are not a whole number of blocks.
    public static func decode(_ bytes: FileBytes, as type: ElementType) throws -> [Float] {
        guard bytes.count % type.blockByteCount == 0 else {
            throw ApusError(.malformedFile, "\(bytes.count) bytes are not a whole number of \(type) blocks")
        }
        let count = bytes.count / type.blockByteCount * type.blockLength
        return bytes.withUnsafeBytes { source in
            [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
                decode(source, as: type, into: buffer)
                initialized = count
            }
        }
    }

    /// Encodes floats, rounding to nearest.
    ///
    /// `values` is a whole number of blocks.
    public static func encode(_ values: [Float], as type: ElementType) throws -> [UInt8] {
        guard let count = type.byteCount(elementCount: values.count) else {
            throw ApusError(.invalidArgument, "\(values.count) values are not a whole number of \(type) blocks")
        }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            values.withUnsafeBufferPointer { source in
                guard let input = source.baseAddress, let output = buffer.baseAddress else { return }
                codec(of: type).encode(input, output, Int64(values.count))
            }
            initialized = count
        }
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
