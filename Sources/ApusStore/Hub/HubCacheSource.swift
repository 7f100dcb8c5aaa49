import ApusCore

/// A repository in the Hugging Face hub cache on this machine, adopted without a copy and without the network.
struct HubCacheSource: ModelSource {
    private let reference: HubReference
    private let snapshot: String

    var description: String { reference.description }
    var canResume: Bool { false }

    /// Finds the snapshot of a repository's revision; nil if the cache has none.
    init?(_ reference: HubReference, folder: String?) {
        guard let folder else { return nil }
        let repository = "\(folder)/models--" + reference.repository.split(separator: "/").joined(separator: "--")
        let branch = try? FileSystem.read("\(repository)/refs/\(reference.revision)", limit: 256)
        let commit = branch.map { String(decoding: $0, as: UTF8.self) } ?? reference.revision
        // The file holds a commit's digits, nothing that could lead elsewhere.
        guard ModelName.isValid(commit), FileSystem.kind(of: "\(repository)/snapshots/\(commit)") == .folder else {
            return nil
        }
        self.reference = reference
        snapshot = "\(repository)/snapshots/\(commit)"
    }

    func listing() throws -> SourceListing {
        let top = FileSystem.names(in: snapshot)
        let nested = top.filter { FileSystem.kind(of: "\(snapshot)/\($0)") == .folder }
            .flatMap { folder in FileSystem.names(in: "\(snapshot)/\(folder)").map { "\(folder)/\($0)" } }
        let names = try HubSelection.paths(for: reference, among: top + nested)
        return SourceListing(files: names.map { SourceFile(path: $0, localPath: "\(snapshot)/\($0)") })
    }

    func fetch(_ file: SourceFile, into partial: PartialFile, report: @escaping @Sendable (_ received: Int) -> Void)
        throws
    {
        throw ApusError(
            .notFound,
            "\(snapshot)/\(file.path): expected in the hub cache, found nothing; pull \(description) with the network"
        )
    }
}
