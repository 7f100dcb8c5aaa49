import ApusCore

/// One safetensors file, its header read and checked.
///
/// Layout ("Safetensors format"): a 64-bit little-endian header length, a JSON object that gives each tensor's dtype,
/// shape and place, and the tensor data, which the tensors fill without a gap.
struct SafetensorsFile {
    /// The tensors, in header order.
    let tensors: [TensorInfo]

    // Texts without a meaning to the format ("format": "pt").
    private static let metadataKey = "__metadata__"
    // The bound that the format's reference implementation sets.
    private static let maximumHeaderLength = 100_000_000

    init(path: String) throws {
        var reader = FileReader(try MappedFile(path: path).bytes)
        let length = try reader.count(minimumSize: 1, "header length")
        guard length <= Self.maximumHeaderLength else {
            throw reader.malformed("header length", expected: "at most \(Self.maximumHeaderLength)", found: "\(length)")
        }
        let header = try JSONValue(parsing: try reader.take(length, "header"))
        guard try header.members().count <= TensorInfo.maximumCount else {
            throw header.malformed(expected: "at most \(TensorInfo.maximumCount) tensors")
        }
        let data = try reader.take(reader.remaining, "tensor data")
        var tensors: [TensorInfo] = []
        for (key, value) in try header.members() {
            let name = try key.string()
            if name != Self.metadataKey { tensors.append(try TensorInfo(name: name, safetensors: value, data: data)) }
        }
        try TensorInfo.checkDisjoint(tensors, path: path)
        let used = tensors.reduce(0) { $0 + $1.bytes.count }
        guard used == data.count else {
            throw reader.malformed("tensor data", expected: "\(used) bytes (all tensors')", found: "\(data.count)")
        }
        self.tensors = tensors
    }
}
