import ApusCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The models on this machine: contents by hash, a manifest per name, and a folder of links with the original names.
///
/// `blobs/sha256-<hash>` holds contents, `models/<name>.json` manifests, `files/<name>/` links to the contents,
/// `partial/` downloads to be continued, `locks/` what keeps two pulls apart. A content is complete once it is in
/// `blobs`: every file arrives by a rename.
package struct ModelStore: Sendable {
    /// The store's folder.
    package let folder: String

    /// Opens the store in a folder, which need not exist.
    package init(folder: String) { self.folder = folder }

    /// The names of all models.
    package func names() -> [String] {
        FileSystem.names(in: "\(folder)/models").compactMap { file in
            file.hasSuffix(".json") && ModelName.isValid(String(file.dropLast(5))) ? String(file.dropLast(5)) : nil
        }
    }

    /// The manifests of all models, by name.
    /// - Throws: `ApusError` if one of them is damaged.
    package func manifests() throws -> [ModelManifest] {
        try names().compactMap(manifest(named:))
    }

    /// The manifest of a model; nil if it is not in the store.
    /// - Throws: `ApusError` if the manifest is damaged.
    package func manifest(named name: String) throws -> ModelManifest? {
        let path = manifestPath(name)
        guard ModelName.isValid(name), FileSystem.kind(of: path) == .file else { return nil }
        let manifest: ModelManifest
        do {
            manifest = try JSONDecoder().decode(ModelManifest.self, from: Data(FileSystem.read(path, limit: 1 << 24)))
        } catch let error as DecodingError {
            throw ApusError(.malformedFile, "\(path): not a manifest; remove it with: apus rm \(name)", cause: error)
        }
        guard manifest.version == 1, manifest.name == name,
            manifest.files.allSatisfy({ ContentHash.isHexDigits($0.sha256) })
        else {
            throw ApusError(
                .malformedFile,
                "\(path): expected version 1 and the name \(name); remove it with: apus rm \(name)"
            )
        }
        for file in manifest.files { try ModelName.checkFile(file.name, of: path) }
        return manifest
    }

    /// What the engine opens for a model of the store.
    /// - Throws: `ApusError` if a file is gone or was changed, with the command that mends it.
    package func resolve(_ manifest: ModelManifest) throws -> ResolvedModel {
        for file in manifest.files {
            let path = "\(linksFolder(manifest.name))/\(file.name)"
            if FileSystem.byteCount(of: path) == file.byteCount { continue }
            let origin =
                file.adoptedFrom.map { "adopted from \($0), which is gone or changed" } ?? "which is gone or changed"
            throw ApusError(
                .notFound,
                "\(manifest.name): expected \(file.byteCount) bytes of \(file.name), \(origin); "
                    + "pull it again: apus pull --force \(manifest.name)"
            )
        }
        let folder = linksFolder(manifest.name)
        let model = manifest.files.first { ModelFiles.isGGUF($0.name) }
        return ResolvedModel(
            name: manifest.name,
            path: model.map { "\(folder)/\($0.name)" } ?? folder,
            files: manifest.files.map { "\(folder)/\($0.name)" },
            licence: manifest.licence
        )
    }

    /// Removes a model and the contents that no other model uses.
    /// - Returns: the bytes freed.
    /// - Throws: `ApusError` if there is no such model or it cannot be removed.
    package func remove(_ name: String) async throws -> Int {
        try ModelName.check(name)
        try createFolders()
        let lock = try await FileLock.acquire("\(folder)/locks/store")
        defer { _ = lock }
        guard FileSystem.kind(of: manifestPath(name)) == .file else {
            let hint =
                Suggestion.nearest(to: name, among: names()).map { "; did you mean \($0)?" } ?? "; see: apus list"
            throw ApusError(.notFound, "\(name): not in the store\(hint)")
        }
        // A damaged manifest names no contents, but must not keep the name alive.
        let contents = (try? manifest(named: name))?.files ?? []
        try FileSystem.remove(manifestPath(name))
        try FileSystem.remove(linksFolder(name))
        let kept = Set(names().flatMap { (try? manifest(named: $0))?.files.map(\.sha256) ?? [] })
        var freed = 0
        for file in contents where !kept.contains(file.sha256) {
            try FileSystem.remove(blobPath(file.sha256))
            if file.adoptedFrom == nil { freed += file.byteCount }
        }
        return freed
    }

    /// Removes what interrupted pulls left.
    /// - Returns: the bytes freed.
    package func removePartials() async throws -> Int {
        try createFolders()
        var freed = 0
        for name in FileSystem.names(in: "\(folder)/partial") {
            let path = "\(folder)/partial/\(name)"
            // A wheel lies beside its member's partial file, under the same lock.
            let key = name.split(separator: ".").first.map(String.init) ?? name
            let lock = try await FileLock.acquire("\(folder)/locks/\(key)")
            freed += FileSystem.byteCount(of: path) ?? 0
            try FileSystem.remove(path)
            _ = lock
        }
        return freed
    }

    /// Makes a model visible under its name, once all its contents are in the store.
    func commit(_ manifest: ModelManifest) async throws {
        let lock = try await FileLock.acquire("\(folder)/locks/store")
        defer { _ = lock }
        let links = linksFolder(manifest.name)
        let fresh = "\(links).new"
        try FileSystem.remove(fresh)
        try FileSystem.createFolder(fresh)
        for file in manifest.files {
            guard FileSystem.byteCount(of: blobPath(file.sha256)) == file.byteCount else {
                throw ApusError(
                    .notFound,
                    "\(manifest.name): \(file.name) was removed while it was pulled; pull it again"
                )
            }
            try FileSystem.symbolicLink("\(fresh)/\(file.name)", to: "../../blobs/sha256-\(file.sha256)")
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let content = try encoder.encode(manifest)
        try FileSystem.remove(links)
        try FileSystem.replace(links, with: fresh)
        try FileSystem.write(Array(content), to: manifestPath(manifest.name))
    }

    /// Creates the store's folders where they are missing.
    func createFolders() throws {
        for name in ["blobs", "models", "files", "partial", "locks"] {
            try FileSystem.createFolder("\(folder)/\(name)")
        }
    }

    /// Where the content with a hash lies, or would.
    func blobPath(_ sha256: String) -> String { "\(folder)/blobs/sha256-\(sha256)" }

    /// Where the links with a model's original file names lie.
    func linksFolder(_ name: String) -> String { "\(folder)/files/\(name)" }

    private func manifestPath(_ name: String) -> String { "\(folder)/models/\(name).json" }
}
