import ApusCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Brings a model into the store: finds its files in foreign caches or fetches them, checks them, and names them.
package struct Puller: Sendable {
    let configuration: StoreConfiguration
    let store: ModelStore
    let report: @Sendable (PullEvent) -> Void

    /// Creates a puller.
    /// - Parameters:
    ///   - configuration: where the store and the foreign caches lie.
    ///   - report: called with what happens, from any thread.
    package init(configuration: StoreConfiguration, report: @escaping @Sendable (PullEvent) -> Void = { _ in }) {
        self.configuration = configuration
        store = ModelStore(folder: configuration.folder)
        self.report = report
    }

    /// Pulls a model from a source and names it.
    /// - Throws: `ApusError` naming what failed; what can be continued stays for the next pull.
    func pull(from source: any ModelSource, name: String, licence: String?) async throws -> ModelManifest {
        try ModelName.check(name)
        try store.createFolders()
        let listing = try await source.listing()
        guard Set(listing.files.map(\.name)).count == listing.files.count, !listing.files.isEmpty else {
            throw ApusError(.malformedFile, "\(source.description): expected files with different names")
        }
        var files: [ModelManifest.File] = []
        for file in listing.files {
            try ModelName.checkFile(file.name, of: source.description)
            files.append(try await obtain(file, from: source))
        }
        let manifest = ModelManifest(
            name: name,
            source: source.description,
            licence: listing.licence ?? licence,
            pulledAt: Date().ISO8601Format(),
            files: files
        )
        try await store.commit(manifest)
        return manifest
    }

    /// Brings one file's content into the store, unless it is there.
    private func obtain(_ file: SourceFile, from source: any ModelSource) async throws -> ModelManifest.File {
        let key = file.sha256 ?? ContentHash.hexDigits(of: "\(source.description)\n\(file.path)")
        let lock = try await FileLock.acquire("\(store.folder)/locks/\(key)") { report(.waiting(file: file.name)) }
        defer { _ = lock }
        if let present = try presentContent(of: file) { return present }
        if let adopted = try adopt(file) { return adopted }
        let partialPath = "\(store.folder)/partial/\(key)"
        if source.canResume, FileSystem.byteCount(of: partialPath) ?? 0 > 0 {
            // What an earlier pull left may be damaged: then one fresh start tells.
            let continued = try await fetch(file, from: source, through: partialPath, continuing: true)
            if matches(continued, file) { return try admit(continued, of: file, from: partialPath) }
        }
        let fetched = try await fetch(file, from: source, through: partialPath, continuing: false)
        if matches(fetched, file) { return try admit(fetched, of: file, from: partialPath) }
        try FileSystem.remove(partialPath)
        throw ApusError(
            .download,
            "\(source.description): \(file.name): expected SHA-256 \(file.sha256 ?? "of any value"), "
                + "\(file.byteCount.map(String.init) ?? "any number of") bytes; "
                + "found \(fetched.sha256), \(fetched.byteCount) bytes; the file was refused"
        )
    }

    /// A file's content as it arrived.
    private struct Content {
        var sha256: String
        var byteCount: Int
    }

    /// Fetches a file into its partial file; what can be continued stays there if that fails.
    private func fetch(
        _ file: SourceFile,
        from source: any ModelSource,
        through path: String,
        continuing: Bool
    ) async throws -> Content {
        let partial = try PartialFile(path: path, continuing: continuing)
        do {
            try checkSpace(for: file, having: partial.byteCount, scratch: source.scratchByteCount)
            try await source.fetch(file, into: partial) { received in
                report(.received(file: file.name, byteCount: received, total: file.byteCount))
            }
        } catch {
            if !source.canResume || partial.byteCount == 0 { try? FileSystem.remove(path) }
            throw error
        }
        report(.checking(file: file.name))
        return Content(sha256: try partial.finish(), byteCount: partial.byteCount)
    }

    private func matches(_ content: Content, _ file: SourceFile) -> Bool {
        content.sha256 == file.sha256 ?? content.sha256 && content.byteCount == file.byteCount ?? content.byteCount
    }

    /// Moves a checked file among the contents.
    private func admit(_ content: Content, of file: SourceFile, from path: String) throws -> ModelManifest.File {
        try FileSystem.protect(path)
        try FileSystem.replace(store.blobPath(content.sha256), with: path)
        return ModelManifest.File(name: file.name, sha256: content.sha256, byteCount: content.byteCount)
    }

    /// The content if the store has it, from an earlier pull or from another model with the same file.
    private func presentContent(of file: SourceFile) throws -> ModelManifest.File? {
        guard let sha256 = file.sha256, let byteCount = FileSystem.byteCount(of: store.blobPath(sha256)) else {
            return nil
        }
        // A hash costs a second per gigabyte or two and catches a damaged disk before it is blamed on the model.
        report(.checking(file: file.name))
        guard byteCount == file.byteCount ?? byteCount, try hash(of: store.blobPath(sha256)) == sha256 else {
            try FileSystem.remove(store.blobPath(sha256))
            return nil
        }
        let adoptedFrom = FileSystem.linkTarget(store.blobPath(sha256))
        return ModelManifest.File(name: file.name, sha256: sha256, byteCount: byteCount, adoptedFrom: adoptedFrom)
    }

    /// Takes the file from another program's cache without a copy; nil if none has it.
    private func adopt(_ file: SourceFile) throws -> ModelManifest.File? {
        let caches = ForeignCaches(configuration: configuration)
        let candidates = [file.localPath].compactMap(\.self) + (file.sha256.map(caches.paths(forContent:)) ?? [])
        for candidate in candidates {
            guard let path = FileSystem.realPath(candidate), let byteCount = FileSystem.byteCount(of: path),
                byteCount == file.byteCount ?? byteCount
            else { continue }
            report(.checking(file: file.name))
            let hash = try hash(of: path)
            guard hash == file.sha256 ?? hash else { continue }
            let blob = store.blobPath(hash)
            try FileSystem.remove(blob)
            // A hard link outlives the other program's clean-up; across disks a symbolic link has to do.
            if !FileSystem.hardLink(path, to: blob) { try FileSystem.symbolicLink(blob, to: path) }
            report(.adopted(file: file.name, path: path))
            return ModelManifest.File(name: file.name, sha256: hash, byteCount: byteCount, adoptedFrom: path)
        }
        return nil
    }

    private func hash(of path: String) throws -> String {
        var hash = ContentHash()
        try FileSystem.read(path) { chunk in
            try Task.checkCancellation()
            hash.update(chunk)
        }
        return hash.hexDigits
    }

    private func checkSpace(for file: SourceFile, having present: Int, scratch: Int) throws {
        guard let total = file.byteCount, let free = FileSystem.freeByteCount(at: store.folder) else { return }
        let (needed, overflow) = (total - present).addingReportingOverflow(scratch)
        guard overflow || needed > free else { return }
        throw ApusError(
            .inputOutput,
            "\(store.folder): pulling \(file.name) takes \(ByteCount.text(needed)), the disk has "
                + "\(ByteCount.text(free)) left: free some space and pull again"
        )
    }
}
