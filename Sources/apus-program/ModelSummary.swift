import ApusStore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A model as `pull --json` and `list --json` print it; the field names are an interface.
struct ModelSummary: Encodable {
    let name: String
    let isPulled: Bool
    let source: String
    let licence: String?
    let bytes: Int?
    let pulledAt: String?
    let files: [ModelManifest.File]

    enum CodingKeys: String, CodingKey {
        case name
        case isPulled = "pulled"
        case source
        case licence
        case bytes
        case pulledAt = "pulled_at"
        case files
    }

    /// A model of the store.
    init(_ manifest: ModelManifest) {
        name = manifest.name
        isPulled = true
        source = manifest.source
        licence = manifest.licence
        bytes = manifest.byteCount
        pulledAt = manifest.pulledAt
        files = manifest.files
    }

    /// A model of the catalogue.
    init(_ entry: Catalogue.Entry) {
        name = entry.name
        isPulled = false
        licence = entry.licence
        pulledAt = nil
        files = []
        switch entry.source {
        case .pypi(let member):
            source = "pypi:\(member.package)==\(member.version)"
            bytes = member.byteCount
        case .hf(let text):
            source = "hf:\(text)"
            bytes = nil
        }
    }

    /// The model as one JSON object.
    var jsonText: String { get throws { try Self.text(self) } }

    /// Models as a JSON array.
    static func jsonText(of summaries: [ModelSummary]) throws -> String { try text(summaries) }

    private static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
