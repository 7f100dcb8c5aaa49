/// What the store knows of a model: a small JSON file per name.
package struct ModelManifest: Codable, Sendable, Equatable {
    /// One file of a model.
    package struct File: Codable, Sendable, Equatable {
        /// The file's original name, without folders.
        package var name: String
        /// The content's SHA-256 hash in hexadecimal digits.
        package var sha256: String
        /// The file's length.
        package var byteCount: Int
        /// The file of another program's cache that was adopted without a copy; nil for the store's own.
        package var adoptedFrom: String?

        enum CodingKeys: String, CodingKey {
            case name
            case sha256
            case byteCount = "bytes"
            case adoptedFrom = "adopted_from"
        }
    }

    /// The layout of this JSON file; this version writes and reads 1.
    package var version = 1
    /// The name the model is called by.
    package var name: String
    /// Where the model came from: `pypi:…`, `hf:…`, `ollama:…` or `file:…`.
    package var source: String
    /// The licence's name as the source states it; nil if it states none.
    package var licence: String?
    /// When the model was pulled, as an ISO 8601 time in UTC.
    package var pulledAt: String
    /// The model's files, in the source's order.
    package var files: [File]

    /// The length of all files.
    package var byteCount: Int { files.reduce(0) { $0 &+ $1.byteCount } }

    enum CodingKeys: String, CodingKey {
        case version
        case name
        case source
        case licence
        case pulledAt = "pulled_at"
        case files
    }
}
