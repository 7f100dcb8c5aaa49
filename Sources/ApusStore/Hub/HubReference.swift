import ApusCore

/// A model on the Hugging Face hub: `org/repository`, a revision, and a file or quantization where the repository has
/// more than one.
package struct HubReference: Sendable, Equatable, CustomStringConvertible {
    /// The repository, as `organisation/name`.
    package var repository: String
    /// A branch, tag or commit.
    package var revision: String
    /// A file's name or a quantization's (`Q4_K_M`); nil for the only model of the repository.
    package var file: String?

    /// Reads `org/repository[@revision][:file]`.
    /// - Throws: `ApusError` if the text has another form.
    init(_ text: String) throws {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let address = (parts.first ?? "").split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let repository = (address.first ?? "").split(separator: "/", omittingEmptySubsequences: false)
        let revision = address.count == 2 ? String(address[1]) : "main"
        let file = parts.count == 2 ? String(parts[1]) : nil
        guard repository.count == 2, repository.allSatisfy({ ModelName.isValid(String($0)) }),
            Self.isPath(revision), file.map(Self.isPath) ?? true
        else {
            throw ApusError(
                .invalidArgument,
                "'hf:\(text)': expected hf:organisation/repository, with @revision or :file where needed, "
                    + "as in hf:bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M"
            )
        }
        self.repository = repository.joined(separator: "/")
        self.revision = revision
        self.file = file
    }

    /// The reference as it is typed.
    package var description: String {
        "hf:\(repository)" + (revision == "main" ? "" : "@\(revision)") + (file.map { ":\($0)" } ?? "")
    }

    /// Whether a text is a relative path without empty and upward steps.
    private static func isPath(_ text: String) -> Bool {
        text.utf8.count <= 512 && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f }
            && text.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
                !$0.isEmpty && $0 != "." && $0 != ".."
            }
    }
}
