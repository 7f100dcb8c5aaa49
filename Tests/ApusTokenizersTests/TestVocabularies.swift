import ApusCore
import ApusFormats
import ApusTokenizers
import Foundation
import Testing

/// Files that tests need and the repository doesn't hold: fetched models and vocabularies, and committed fixtures.
enum TestFiles {
    /// Fixtures/tokenizers.
    static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fixtures/tokenizers")

    private static let environment = ProcessInfo.processInfo.environment
    private static let models = URL(
        filePath: environment["APUS_TEST_MODELS"] ?? NSHomeDirectory() + "/.cache/apus-test-models"
    )
    /// A folder of random texts to compare, given by hand.
    static let vectors = environment["APUS_TOKENIZER_VECTORS"].map { URL(filePath: $0) }

    /// A fetched vocabulary; nil, and with CI=true a failed test, if it is missing.
    static func vocabulary(_ name: String) -> String? {
        let path = [models, models.appending(path: "vocabularies")].map { $0.appending(path: name).path() }
            .first(where: FileManager.default.fileExists)
        if path == nil, environment["CI"] == "true" {
            Issue.record("\(name) is missing below \(models.path()): run tools/test-data")
        }
        return path
    }

    /// A parsed fixture.
    static func json(_ url: URL) throws -> JSONValue {
        try JSONValue(parsing: try MappedFile(path: url.path()).bytes)
    }

    /// The files of a folder whose names begin with "ids-".
    static func idFiles(in folder: URL) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.lastPathComponent.hasPrefix("ids-") }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
    }
}

/// A text and what a reference makes of it.
struct ReferenceCase {
    let bytes: [UInt8]
    let ids: [Int32]
    let plainIDs: [Int32]

    init(_ value: JSONValue) throws {
        let members = Dictionary(try value.members().map { (try $0.key.string(), $0.value) }) { _, last in last }
        if let hex = try members["hex"]?.string() {
            bytes = stride(from: 0, to: hex.utf8.count, by: 2).compactMap { offset in
                UInt8(hex.dropFirst(offset).prefix(2), radix: 16)
            }
        } else {
            bytes = Array(try value.member("text").string().utf8)
        }
        func ids(_ value: JSONValue) throws -> [Int32] { try value.elements().map { Int32(try $0.integer()) } }
        self.ids = try ids(try value.member("ids"))
        plainIDs = try members["plain"].map(ids) ?? self.ids
    }
}
