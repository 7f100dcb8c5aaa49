import ApusCore

/// The index of a sharded model: which shard holds which tensor.
struct SafetensorsIndex {
    /// The shards, in the order in which they first appear.
    let paths: [String]
    /// The position in `paths` of each tensor's shard.
    let shardOfTensor: [String: Int]

    // The largest open models have 93,000 tensors (every expert apart) in 200 shards; the bounds keep a hostile index's
    // tables small.
    private static let maximumTensorCount = 131_072
    private static let maximumShardCount = 4096

    init(path: String) throws {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        let map = try JSONValue(parsing: try MappedFile(path: path).bytes).member("weight_map")
        let members = try map.members()
        guard members.count <= Self.maximumTensorCount else {
            throw map.malformed(expected: "at most \(Self.maximumTensorCount) tensors")
        }
        var shards: [String: Int] = [:]
        var paths: [String] = []
        var shardOfTensor: [String: Int] = [:]
        for (tensor, shard) in members {
            let name = try shard.string()
            // A name with a slash could reach any file of the user's.
            guard name.hasSuffix(".safetensors"), !name.contains("/"), !name.contains("\0") else {
                throw shard.malformed(expected: "the name of a .safetensors file in the same folder")
            }
            if shards[name] == nil {
                guard paths.count < Self.maximumShardCount else {
                    throw map.malformed(expected: "at most \(Self.maximumShardCount) files")
                }
                shards[name] = paths.count
                paths.append(folder + name)
            }
            shardOfTensor[try tensor.string()] = shards[name]
        }
        self.paths = paths
        self.shardOfTensor = shardOfTensor
    }
}
