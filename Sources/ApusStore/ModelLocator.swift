import ApusCore

/// Turns what a user typed for MODEL into files, pulling them where that is allowed.
package struct ModelLocator: Sendable {
    let configuration: StoreConfiguration
    let catalogue: Catalogue
    let store: ModelStore

    /// Creates a locator over a store and the built-in catalogue, or another.
    package init(configuration: StoreConfiguration, catalogue: Catalogue? = nil) throws {
        self.configuration = configuration
        self.catalogue = try catalogue ?? Catalogue.builtIn()
        store = ModelStore(folder: configuration.folder)
    }

    /// The model on this machine that a text means, without any network; nil if it is known but not pulled yet.
    /// - Throws: `ApusError` if the text means nothing, saying what was expected and what may be meant.
    package func localModel(_ text: String) throws -> ResolvedModel? {
        let reference = try ModelReference(text)
        switch reference {
        case .name(let name):
            if let manifest = try store.manifest(named: name) { return try store.resolve(manifest) }
            if catalogue.entry(named: name) != nil { return nil }
            guard FileSystem.kind(of: name) != nil else { throw unknown(name) }
            return try model(at: name)
        case .path(let path):
            return try model(at: path)
        case .hub, .ollama:
            let manifests = try store.manifests()
            return try manifests.first { $0.source == Self.sourceText(reference) }.map(store.resolve)
        }
    }

    /// The model that a text means, pulled first if it is not on this machine.
    /// - Throws: `ApusError` if the text means nothing, or the model is missing while offline.
    package func model(_ text: String, report: @escaping @Sendable (PullEvent) -> Void = { _ in }) async throws
        -> ResolvedModel
    {
        if let model = try localModel(text) { return model }
        return try store.resolve(try await pull(text, report: report))
    }

    func model(at path: String) throws -> ResolvedModel {
        do {
            let files = try ModelFiles.files(at: path)
            let isFile = FileSystem.kind(of: path) == .file
            return ResolvedModel(name: path, path: isFile ? files.first ?? path : path, files: files, licence: nil)
        } catch let error as ApusError where error.code == .notFound && FileSystem.kind(of: path) == nil {
            throw ApusError(.notFound, error.message + hint(forMissing: path))
        }
    }

    /// What may be meant by a path that leads nowhere.
    private func hint(forMissing path: String) -> String {
        let steps = path.split(separator: "/", omittingEmptySubsequences: false)
        if steps.count == 2, steps.allSatisfy({ ModelName.isValid(String($0)) }), !ModelFiles.isGGUF(path) {
            return "; a repository of the Hugging Face hub is pulled by: apus pull hf:\(path)"
        }
        let folder = FileSystem.parent(of: path) ?? "."
        let siblings = FileSystem.names(in: folder).filter {
            ModelFiles.isGGUF($0) || FileSystem.kind(of: "\(folder)/\($0)") == .folder
        }
        let nearest = Suggestion.nearest(to: steps.last.map(String.init) ?? "", among: siblings)
        return nearest.map { "; did you mean \(folder == "." ? "" : "\(folder)/")\($0)?" } ?? ""
    }

    func unknown(_ name: String) -> ApusError {
        let known = store.names() + catalogue.models.map(\.name)
        let nearest = Suggestion.nearest(to: name, among: known).map { "did you mean \($0)? " } ?? ""
        return ApusError(
            .notFound,
            "\(name): neither a model's name nor a file; \(nearest)see: apus list --all; "
                + "from the Hugging Face hub: apus pull hf:organisation/repository"
        )
    }

    static func sourceText(_ reference: ModelReference) -> String {
        switch reference {
        case .name(let text): text
        case .path(let text): "file:\(text)"
        case .hub(let hub): hub.description
        case .ollama(let text): OllamaSource.description(of: text)
        }
    }
}
