package import ApusCore
package import ApusFormats
import ApusTensor

/// A model's files as what a GGUF file holds: metadata, and tensors under their GGUF names.
///
/// A GGUF file is taken as it is; a folder in the hub's layout as llama.cpp's converter takes it. No tensor data is read but
/// that of vectors. Thread-safe.
package struct ConversionSource: Sendable {
    /// A tensor and where its elements come from.
    package struct Tensor: Sendable {
        /// The GGUF name.
        package let name: String
        /// Extents, innermost first.
        package let shape: [Int]
        let content: Content

        /// What its elements are before any conversion.
        package var type: ElementType {
            switch content {
            case .stored(_, let type, _): type
            case .computed: .f32
            }
        }

        /// How many elements it has.
        package var elementCount: Int { shape.reduce(1, *) }

        /// Bytes of its elements.
        package var byteCount: Int {
            switch content {
            case .stored(let bytes, _, _): bytes.count
            case .computed(let values): values.count * MemoryLayout<Float>.stride
            }
        }
    }

    enum Content: Sendable {
        /// As a file has it, but for the order of rows where there is one: row `n` is the file's row `order(n)`.
        case stored(FileBytes, ElementType, order: (@Sendable (Int) -> Int)?)
        /// Numbers that no file has in this form.
        case computed([Float])
    }

    /// The model, for messages.
    let path: String
    /// The files that hold the weights, in the order in which a hash takes them up.
    package let weightPaths: [String]
    /// Where the output must not go.
    package let paths: [String]
    /// The metadata, but for what says how tensors are stored.
    let fields: [(key: String, value: GGUFHeader.Value)]
    /// The tensors in the order in which they are written.
    package let tensors: [Tensor]
    let layerCount: Int
    let queryHeadsPerKeyValueHead: Int
}

extension ConversionSource {
    /// Takes a GGUF file.
    /// - Throws: `ApusError` (`malformedFile`) for fields of another type.
    package init(_ file: GGUFFile) throws {
        let architecture = try file.metadata.string("general.architecture")
        func count(_ name: String) throws -> Int? { try file.metadata.integerIfPresent("\(architecture).\(name)") }
        let heads = try count("attention.head_count") ?? 1
        let shared = try count("attention.head_count_kv") ?? heads
        let replaced: Set = ["general.alignment", "general.file_type", "general.quantization_version"]
        self.init(
            path: file.paths.first ?? "",
            weightPaths: file.paths,
            paths: file.paths,
            fields: file.metadata.filter { field in
                !replaced.contains(field.key) && !field.key.hasPrefix("split.")
                    && !field.key.hasPrefix("quantize.imatrix.") && !FidelityRecord.owns(field.key)
            }.map { ($0.key, .copy($0)) },
            tensors: file.tensors.map {
                .init(name: $0.name, shape: $0.shape, content: .stored($0.bytes, $0.type, order: nil))
            },
            layerCount: try count("block_count") ?? 0,
            queryHeadsPerKeyValueHead: shared > 0 ? heads / shared : 1
        )
    }
}

extension ConversionSource.Tensor {
    /// Where the model that was loaded from the same file has row `n`, if elsewhere.
    var sourceRow: ((Int) -> Int)? {
        guard case .stored(_, _, let order?) = content else { return nil }
        return order
    }

    /// Calls `body` with a part of the elements' bytes.
    /// - Parameter range: bytes, of which there are `byteCount`.
    func withBytes<Result>(_ range: Range<Int>, _ body: (RawSpan) throws -> Result) rethrows -> Result {
        switch content {
        case .stored(let bytes, _, nil):
            return try bytes.withSpan { try body($0.extracting(range)) }
        case .stored(let bytes, let type, let order?):
            let rowByteCount = max(1, type.byteCount(elementCount: shape[0]) ?? bytes.count)
            var gathered: [UInt8] = []
            gathered.reserveCapacity(range.count)
            var position = range.lowerBound
            while position < range.upperBound {
                let (row, start) = position.quotientAndRemainder(dividingBy: rowByteCount)
                let count = min(rowByteCount - start, range.upperBound - position)
                bytes.slice(offset: order(row) * rowByteCount + start, count: count)?
                    .withUnsafeBytes { gathered.append(contentsOf: $0) }
                position += count
            }
            return try body(gathered.span.bytes)
        case .computed(let values):
            return try body(values.span.bytes.extracting(range))
        }
    }

    /// Tells the kernel that a part will not be read again.
    func release(_ range: Range<Int>) {
        switch content {
        case .stored(let bytes, _, _):
            bytes.file.release(bytes.offset + range.lowerBound..<bytes.offset + range.upperBound)
        case .computed: break
        }
    }
}
