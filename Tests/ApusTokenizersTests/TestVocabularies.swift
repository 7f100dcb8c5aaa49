import ApusCore
import ApusFormats
import ApusTestSupport
import ApusTokenizers
import Foundation
import Testing

/// Files that tests need and the repository doesn't hold: fetched models and vocabularies, and committed fixtures.
enum TestFiles {
    /// Fixtures/tokenizers.
    static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Fixtures/tokenizers")

    /// A folder of random texts to compare, given by hand.
    static let vectors = ProcessInfo.processInfo.environment["APUS_TOKENIZER_VECTORS"].map { URL(filePath: $0) }

    /// A fetched vocabulary; nil, and with CI=true a failed test, if it is missing.
    static func vocabulary(_ name: String) -> String? {
        let path = FetchedData.path(name) ?? FetchedData.path("vocabularies/\(name)")
        if path == nil, FetchedData.isRequired {
            Issue.record("\(name) is missing below \(FetchedData.folder): run tools/test-data")
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
            bytes = Self.bytes(hex: hex)
        } else {
            bytes = Array(try value.member("text").string().utf8)
        }
        func ids(_ value: JSONValue) throws -> [Int32] { try value.elements().map { Int32(try $0.integer()) } }
        self.ids = try ids(try value.member("ids"))
        plainIDs = try members["plain"].map(ids) ?? self.ids
    }

    /// The bytes that pairs of hexadecimal digits spell.
    static func bytes(hex: String) -> [UInt8] {
        stride(from: 0, to: hex.utf8.count, by: 2).compactMap { UInt8(hex.dropFirst($0).prefix(2), radix: 16) }
    }
}
