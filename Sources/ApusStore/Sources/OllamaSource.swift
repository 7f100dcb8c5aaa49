import ApusCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A model in Ollama's store on this machine, adopted without a copy.
struct OllamaSource: ModelSource {
    private struct Manifest: Decodable {
        var layers: [Layer]
    }

    private struct Layer: Decodable {
        var mediaType: String
        var digest: String
        var size: Int
    }

    private let text: String
    private let manifestPath: String
    private let blobsFolder: String

    var description: String { Self.description(of: text) }
    var canResume: Bool { false }

    /// Finds the manifest of `name`, `name:tag` or `namespace/name:tag`.
    /// - Throws: `ApusError` if no store has it, listing some that are there.
    init(_ text: String, folders: [String]) throws {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let steps = (parts.first ?? "").split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let tag = parts.count == 2 ? parts[1] : "latest"
        guard (1...2).contains(steps.count), (steps + [tag]).allSatisfy(ModelName.isValid) else {
            throw ApusError(
                .invalidArgument,
                "'ollama:\(text)': expected ollama:name, with :tag where needed, as in ollama:llama3.2:1b"
            )
        }
        let model = steps.count == 1 ? "library/\(steps[0])" : steps.joined(separator: "/")
        let candidates = folders.map { (folder: $0, path: "\($0)/manifests/registry.ollama.ai/\(model)/\(tag)") }
        guard let found = candidates.first(where: { FileSystem.kind(of: $0.path) == .file }) else {
            let places = folders.isEmpty ? "no Ollama store" : folders.joined(separator: ", ")
            throw ApusError(
                .notFound,
                "ollama:\(text): not in \(places); set OLLAMA_MODELS if the store lies elsewhere, "
                    + "or pull it there first: ollama pull \(text)"
            )
        }
        self.text = text
        manifestPath = found.path
        blobsFolder = "\(found.folder)/blobs"
    }

    /// The source as written into manifests.
    static func description(of text: String) -> String { "ollama:\(text)" }

    func listing() throws -> SourceListing {
        let manifest: Manifest
        do {
            manifest = try JSONDecoder().decode(
                Manifest.self,
                from: Data(FileSystem.read(manifestPath, limit: 1 << 20))
            )
        } catch let error as DecodingError {
            throw ApusError(.malformedFile, "\(manifestPath): not an Ollama manifest", cause: error)
        }
        let models = manifest.layers.filter { $0.mediaType == "application/vnd.ollama.image.model" }
        guard models.count == 1, let model = models.first else {
            throw ApusError(.unsupported, "\(manifestPath): expected one layer with a model, found \(models.count)")
        }
        let sha256 = try hash(of: model)
        let file = SourceFile(
            path: "\(ModelName.derived(from: text)).gguf",
            sha256: sha256,
            byteCount: model.size,
            localPath: blobPath(sha256)
        )
        return SourceListing(files: [file], licence: try licence(manifest.layers))
    }

    func fetch(_ file: SourceFile, into partial: PartialFile, report: @escaping @Sendable (_ received: Int) -> Void)
        throws
    {
        throw ApusError(
            .notFound,
            "\(file.localPath ?? blobsFolder): expected the content of \(description), "
                + "found nothing or another size or hash"
        )
    }

    /// The first line of the licence text, which is where licences state their names.
    private func licence(_ layers: [Layer]) throws -> String? {
        guard let layer = layers.first(where: { $0.mediaType == "application/vnd.ollama.image.license" }),
            let text = try? FileSystem.read(blobPath(hash(of: layer)), limit: 1 << 20)
        else { return nil }
        let lines = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
        return lines.map { $0.drop(while: \.isWhitespace) }.first { !$0.isEmpty }.map { String($0.prefix(80)) }
    }

    private func hash(of layer: Layer) throws -> String {
        let digest = layer.digest.hasPrefix("sha256:") ? String(layer.digest.dropFirst(7)) : ""
        guard ContentHash.isHexDigits(digest) else {
            throw ApusError(
                .malformedFile,
                "\(manifestPath): digest: expected sha256 and 64 digits, found \(layer.digest.debugDescription)"
            )
        }
        return digest
    }

    private func blobPath(_ sha256: String) -> String { "\(blobsFolder)/sha256-\(sha256)" }
}
