package import ApusCore

/// The tensors of a safetensors model: those of one file, or of the shards that an index lists.
///
/// Opening maps the files and checks their headers ("Safetensors format"); no tensor data is read. Shapes are reversed
/// to `TensorInfo`'s order, innermost dimension first. Thread-safe.
public struct SafetensorsModel: Sendable {
    /// The files, in the order in which the index first names them.
    public let paths: [String]
    /// The tensors, file by file, in header order.
    public let tensors: [TensorInfo]
    private let index: TensorIndex

    /// Opens a single file.
    /// - Throws: `ApusError` naming file, field, expected and found value: `malformedFile` for a broken file,
    ///   `unsupported` for dtypes Apus does not know, `notFound` for a missing file.
    public init(path: String) throws {
        try self.init(paths: [path], tensors: try SafetensorsFile(path: path).tensors)
    }

    /// Opens the shards of an index (`model.safetensors.index.json`), which lie in the same folder.
    ///
    /// A tensor is taken from the shard that the index names for it; tensors it does not name are left out.
    /// - Throws: `ApusError`, as `init(path:)` does, and `malformedFile` if a tensor is not in its shard.
    public init(indexPath: String) throws {
        let shards = try SafetensorsIndex(path: indexPath)
        var tensors: [TensorInfo] = []
        for (shard, path) in shards.paths.enumerated() {
            tensors += try SafetensorsFile(path: path).tensors.filter { shards.shardOfTensor[$0.name] == shard }
        }
        try self.init(paths: shards.paths, tensors: tensors)
        if let missing = shards.shardOfTensor.first(where: { index[$0.key] == nil }) {
            throw ApusError.malformed(
                indexPath,
                "weight_map",
                expected: "tensor \(missing.key.quotedForMessage) in \(shards.paths[missing.value])",
                found: "none there"
            )
        }
    }

    private init(paths: [String], tensors: [TensorInfo]) throws {
        self.paths = paths
        self.tensors = tensors
        index = try TensorIndex(tensors)
    }

    /// The mapped files, in order.
    package var files: [MappedFile] { tensors.map(\.bytes).files }

    /// The tensor with a name; nil if there is none.
    public func tensor(named name: String) -> TensorInfo? { index[name].map { tensors[$0] } }
}
