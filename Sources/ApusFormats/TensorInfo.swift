public import ApusCore

/// A tensor in a file: its name, how its elements are stored, its shape and its bytes.
///
/// The same for GGUF and safetensors. Thread-safe.
public struct TensorInfo: Sendable {
    /// The tensor's name, unique in its model.
    public let name: String
    /// How the elements are stored.
    public let type: ElementType
    /// The extents, innermost (fastest-varying) dimension first, as GGUF stores them.
    ///
    /// Every one is at least 1 and their product does not overflow. A safetensors shape is reversed to this order; a
    /// scalar has no dimensions there and none here.
    public let shape: [Int]
    /// The tensor's data, exactly `type.byteCount` of its rows long; mapped, not read.
    public let bytes: FileBytes

    /// How many tensors a file may have: far above any real one's thousands, and few enough to keep its tables small.
    static let maximumCount = 65_536

    /// How many dimensions a tensor may have: those of GGUF, more than any language model needs.
    static let maximumDimensionCount = 4

    /// How many elements the tensor has.
    public var elementCount: Int { shape.reduce(1, *) }

    /// The number of bytes a tensor needs, or nil if the product overflows or a row is not a whole number of blocks.
    static func byteCount(type: ElementType, shape: [Int]) -> Int? {
        guard var bytes = type.byteCount(elementCount: shape.first ?? 1) else { return nil }
        var elements = shape.first ?? 1
        for extent in shape.dropFirst() {
            let (elementProduct, elementOverflow) = elements.multipliedReportingOverflow(by: extent)
            let (byteProduct, byteOverflow) = bytes.multipliedReportingOverflow(by: extent)
            guard !elementOverflow, !byteOverflow else { return nil }
            (elements, bytes) = (elementProduct, byteProduct)
        }
        return bytes
    }
}

extension [FileBytes] {
    /// The files the slices lie in, each once.
    var files: [MappedFile] {
        var files: [MappedFile] = []
        for slice in self where files.last !== slice.file { files.append(slice.file) }
        return files
    }
}

extension TensorInfo {
    /// Refuses tensors that share bytes: a small file could otherwise claim any number of large tensors.
    static func checkDisjoint(_ tensors: [TensorInfo], path: String) throws {
        let ordered = tensors.sorted { $0.bytes.offset < $1.bytes.offset }
        for (tensor, next) in zip(ordered, ordered.dropFirst())
        where tensor.bytes.offset + tensor.bytes.count > next.bytes.offset {
            throw ApusError.malformed(
                path,
                "tensor \(next.name.quotedForMessage) offset",
                expected: "data of its own",
                found: "an overlap with \(tensor.name.quotedForMessage)"
            )
        }
    }
}
