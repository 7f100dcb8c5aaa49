import ApusCore

/// The model caches of other programs on this machine, which are read and never written.
struct ForeignCaches {
    /// Where the caches lie.
    let configuration: StoreConfiguration

    /// Files whose names claim a content: the hub cache names large files by their SHA-256, Ollama all of them.
    func paths(forContent sha256: String) -> [String] {
        guard ContentHash.isHexDigits(sha256) else { return [] }
        let hub = configuration.hubCacheFolder.map { folder in
            FileSystem.names(in: folder).filter { $0.hasPrefix("models--") }.map { "\(folder)/\($0)/blobs/\(sha256)" }
        }
        let ollama = configuration.ollamaFolders.map { "\($0)/blobs/sha256-\(sha256)" }
        return ((hub ?? []) + ollama).filter { FileSystem.kind(of: $0) == .file }
    }
}
