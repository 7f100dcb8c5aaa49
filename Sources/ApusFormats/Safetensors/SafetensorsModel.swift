import ApusCore

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
        for path in shards.paths {
            tensors += try SafetensorsFile(path: path).tensors.filter { shards.pathOfTensor[$0.name] == path }
        }
        try self.init(paths: shards.paths, tensors: tensors)
        if let missing = shards.pathOfTensor.first(where: { index[$0.key] == nil }) {
            throw ApusError.malformed(
                indexPath,
                "weight_map",
                expected: "tensor \(missing.key.quotedForMessage) in \(missing.value)",
                found: "none there"
            )
        }
    }

    private init(paths: [String], tensors: [TensorInfo]) throws {
        self.paths = paths
        self.tensors = tensors
        index = try TensorIndex(tensors)
    }

    /// The tensor with a name; nil if there is none.
    public func tensor(named name: String) -> TensorInfo? { index[name].map { tensors[$0] } }
}

/// The index of a sharded model: which shard holds which tensor.
struct SafetensorsIndex {
    /// The shards, in the order in which they first appear.
    let paths: [String]
    let pathOfTensor: [String: String]

    init(path: String) throws {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        let index = try JSONValue(parsing: try MappedFile(path: path).bytes)
        var paths: [String] = []
        var known: Set<String> = []
        var pathOfTensor: [String: String] = [:]
        for (tensor, shard) in try index.member("weight_map").members() {
            let name = try shard.string()
            // A name with a slash could reach any file of the user's.
            guard name.hasSuffix(".safetensors"), !name.contains("/"), !name.contains("\0") else {
                throw shard.malformed(expected: "the name of a .safetensors file in the same folder")
            }
            if known.insert(name).inserted { paths.append(folder + name) }
            pathOfTensor[try tensor.string()] = folder + name
        }
        self.paths = paths
        self.pathOfTensor = pathOfTensor
    }
}
