package import ApusCore

/// What stands in front of the tensor data of a GGUF file that is to be written ("GGUF file format", version 3).
///
/// A value. The data section begins behind `bytes`, and its tensors lie at `offsets` within it, in order.
package struct GGUFHeader: Sendable {
    /// A metadata value.
    package enum Value: Sendable {
        case uint32(UInt32)
        case float32(Float)
        case float64(Double)
        case bool(Bool)
        case string(String)
        case int32s([Int32])
        case float32s([Float])
        case strings([String])
        /// As it stands in another file.
        case copy(GGUFField)
    }

    /// A tensor to come: extents innermost first.
    package struct Tensor: Sendable {
        package let name: String
        package let type: ElementType
        package let shape: [Int]
        package let byteCount: Int
        /// Bytes up to the next tensor.
        package var paddedByteCount: Int { GGUFHeader.padded(byteCount) }

        /// - Throws: `ApusError` (`invalidArgument`) if the type has no rows of that length.
        package init(name: String, type: ElementType, shape: [Int]) throws {
            guard let byteCount = TensorInfo.byteCount(type: type, shape: shape) else {
                throw ApusError(
                    .invalidArgument,
                    "tensor \(name.quotedForMessage): expected rows of a multiple of \(type.blockLength) elements for \(type), "
                        + "found \(shape.first ?? 0)"
                )
            }
            self.name = name
            self.type = type
            self.shape = shape
            self.byteCount = byteCount
        }
    }

    /// The header, padded to where the data section begins.
    package private(set) var bytes: [UInt8] = []
    /// The tensors in order.
    package let tensors: [Tensor]
    /// Where each tensor begins in the data section.
    package let offsets: [Int]
    /// Bytes of the data section, the last tensor's padding included.
    package let dataByteCount: Int
    /// Where each value of fixed size stands in `bytes`, by its key.
    package private(set) var valueOffsets: [String: Int] = [:]

    private static let alignment = 32

    /// Lays out a file.
    /// - Parameters:
    ///   - fields: the metadata in order, without `general.alignment`, which is 32.
    ///   - tensors: the tensors in order.
    package init(fields: [(key: String, value: Value)], tensors: [Tensor]) {
        var offsets: [Int] = []
        var end = 0
        for tensor in tensors {
            offsets.append(end)
            end += tensor.paddedByteCount
        }
        self.tensors = tensors
        self.offsets = offsets
        dataByteCount = end
        append(GGUFPart.magic)
        append(UInt32(3))
        append(UInt64(tensors.count))
        append(UInt64(fields.count))
        for field in fields { append(field.key, field.value) }
        for (tensor, offset) in zip(tensors, offsets) {
            append(tensor.name)
            append(UInt32(tensor.shape.count))
            for extent in tensor.shape { append(UInt64(extent)) }
            append(tensor.type.rawValue)
            append(UInt64(offset))
        }
        bytes += [UInt8](repeating: 0, count: Self.padded(bytes.count) - bytes.count)
    }

    /// Replaces a number of the metadata.
    package mutating func set(_ key: String, _ number: Double) {
        guard let offset = valueOffsets[key] else { return }
        withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes.replaceSubrange(offset..<offset + 8, with: $0) }
    }

    /// A count rounded up to the alignment of tensors.
    fileprivate static func padded(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

    private mutating func append(_ key: String, _ value: Value) {
        append(key)
        switch value {
        case .uint32(let number):
            append(GGUFValueType.uint32.rawValue)
            append(number)
        case .float32(let number):
            append(GGUFValueType.float32.rawValue)
            append(number.bitPattern)
        case .bool(let flag):
            append(GGUFValueType.bool.rawValue)
            bytes.append(flag ? 1 : 0)
        case .float64(let number):
            append(GGUFValueType.float64.rawValue)
            valueOffsets[key] = bytes.count
            append(number.bitPattern)
        case .string(let text):
            append(GGUFValueType.string.rawValue)
            append(text)
        case .int32s(let numbers):
            appendArrayStart(of: .int32, count: numbers.count)
            for number in numbers { append(number) }
        case .float32s(let numbers):
            appendArrayStart(of: .float32, count: numbers.count)
            for number in numbers { append(number.bitPattern) }
        case .strings(let texts):
            appendArrayStart(of: .string, count: texts.count)
            for text in texts { append(text) }
        case .copy(let field):
            append(field.type.rawValue)
            if let elementType = field.elementType {
                append(elementType.rawValue)
                append(UInt64(field.count))
            } else if field.type == .string {
                append(UInt64(field.payload.count))
            }
            field.payload.withUnsafeBytes { bytes += $0 }
        }
    }

    private mutating func appendArrayStart(of type: GGUFValueType, count: Int) {
        append(GGUFValueType.array.rawValue)
        append(type.rawValue)
        append(UInt64(count))
    }

    private mutating func append(_ text: String) {
        append(UInt64(text.utf8.count))
        bytes += text.utf8
    }

    private mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        withUnsafeBytes(of: number.littleEndian) { bytes += $0 }
    }
}
