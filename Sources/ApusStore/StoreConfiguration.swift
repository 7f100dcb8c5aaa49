import ApusCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Where the store and the caches it adopts from lie, and how the hub is reached.
package struct StoreConfiguration: Sendable {
    /// The store's own folder.
    package var folder: String
    /// The Hugging Face hub cache: `models--org--name` folders.
    package var hubCacheFolder: String?
    /// Folders of Ollama stores: `manifests` and `blobs`.
    package var ollamaFolders: [String]
    /// The hub's address.
    package var hubEndpoint: String
    /// The access token sent to the hub, and only to it.
    package var hubToken: String?
    /// How patient a download from the hub is.
    package var hubPolicy = HubPolicy()
    /// Whether nothing may be downloaded.
    package var isOffline: Bool

    /// Creates a configuration from its values; by default there are no foreign caches.
    package init(
        folder: String,
        hubCacheFolder: String? = nil,
        ollamaFolders: [String] = [],
        hubEndpoint: String = "https://huggingface.co",
        hubToken: String? = nil,
        isOffline: Bool = false
    ) {
        self.folder = folder
        self.hubCacheFolder = hubCacheFolder
        self.ollamaFolders = ollamaFolders
        self.hubEndpoint = hubEndpoint
        self.hubToken = hubToken
        self.isOffline = isOffline
    }

    /// Reads the configuration from environment variables: `APUS_HOME`, `XDG_CACHE_HOME`, `HOME`, those of the hub
    /// (`HF_HOME`, `HF_HUB_CACHE`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_OFFLINE`), `OLLAMA_MODELS`.
    /// - Throws: `ApusError` if no folder can be derived.
    package init(environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let home = value("HOME")
        let caches = value("XDG_CACHE_HOME") ?? home.map { "\($0)/.cache" }
        guard let folder = value("APUS_HOME") ?? caches.map({ "\($0)/apus" }) else {
            throw ApusError(
                .invalidArgument,
                "no folder for models: none of APUS_HOME, XDG_CACHE_HOME, HOME is set; set APUS_HOME"
            )
        }
        let hubHome = value("HF_HOME") ?? caches.map { "\($0)/huggingface" }
        let tokenPath = value("HF_TOKEN_PATH") ?? hubHome.map { "\($0)/token" }
        let tokenFile = tokenPath.flatMap { try? FileSystem.read($0, limit: 4096) }.map {
            String(decoding: $0, as: UTF8.self)
        }
        self.init(
            folder: folder,
            hubCacheFolder: value("HF_HUB_CACHE") ?? hubHome.map { "\($0)/hub" },
            ollamaFolders: value("OLLAMA_MODELS").map { [$0] }
                ?? [home.map { "\($0)/.ollama/models" }, "/usr/share/ollama/.ollama/models"].compactMap(\.self),
            hubEndpoint: value("HF_ENDPOINT") ?? "https://huggingface.co",
            hubToken: (value("HF_TOKEN") ?? tokenFile).flatMap(Self.token),
            isOffline: ["1", "true", "yes", "on"].contains((value("HF_HUB_OFFLINE") ?? "").lowercased())
        )
    }

    /// A token without the white space around it; nil if nothing is left that a header may carry.
    private static func token(_ text: String) -> String? {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 1, words[0].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        return String(words[0])
    }
}
