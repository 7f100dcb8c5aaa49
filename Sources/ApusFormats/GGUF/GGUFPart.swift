import ApusCore

/// One file of a GGUF model, its header read and checked.
///
/// Layout ("GGUF file format"): magic, version, tensor count, key count, the metadata, the tensor infos, padding to
/// `general.alignment`, the tensor data. All integers are little-endian.
struct GGUFPart {
    let version: Int
    let metadata: GGUFMetadata
    let tensors: [TensorInfo]

    static let magic: UInt32 = 0x4655_4747  // "GGUF"
    // Real files have a few dozen.
    private static let maximumFieldCount = 65_536

    init(path: String) throws {
        var reader = FileReader(try MappedFile(path: path).bytes)
        version = try Self.readVersion(&reader)
        let tensorCount = try reader.count(
            minimumSize: GGUFTensorHeader.minimumSize,
            maximum: TensorInfo.maximumCount,
            "tensor count"
        )
        let fieldCount = try reader.count(
            minimumSize: GGUFField.minimumSize,
            maximum: Self.maximumFieldCount,
            "metadata count"
        )
        metadata = try GGUFMetadata(from: &reader, count: fieldCount)
        let headers = try GGUFTensorHeader.read(&reader, count: tensorCount)
        tensors = try GGUFTensorHeader.locate(headers, &reader, alignment: try metadata.alignment)
    }

    private static func readVersion(_ reader: inout FileReader) throws -> Int {
        let magic = try reader.integer(UInt32.self, "magic")
        guard magic == Self.magic else {
            throw reader.malformed("magic", expected: "\"GGUF\"", found: "0x" + String(magic, radix: 16))
        }
        let version = try reader.integer(UInt32.self, "version")
        guard version == 2 || version == 3 else {
            let swapped = version.byteSwapped
            let hint = (1...3).contains(swapped) ? " (a big-endian file of version \(swapped); convert it)" : ""
            throw ApusError(
                .unsupported,
                "\(reader.path): version: expected 2 or 3, little-endian, found \(version)\(hint)"
            )
        }
        return Int(version)
    }
}

extension GGUFMetadata {
    /// The alignment of tensor data in bytes: 32 unless the file says otherwise.
    var alignment: Int {
        get throws {
            let key = "general.alignment"
            let alignment = try integerIfPresent(key) ?? 32
            guard alignment > 0, alignment & (alignment - 1) == 0 else {
                throw ApusError.malformed(path, key, expected: "a power of two", found: "\(alignment)")
            }
            return alignment
        }
    }
}
