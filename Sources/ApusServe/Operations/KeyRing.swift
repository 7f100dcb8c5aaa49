import ApusCore
import Crypto

/// The API keys of a file: only their SHA-256 hashes are kept.
package struct KeyRing: Sendable {
    private struct Key: Sendable {
        let digest: SHA256Digest
        let caller: Caller
    }

    private var keys: [Key] = []

    /// Reads a key file's text.
    /// - Parameter path: the file, for messages, which never show a key.
    /// - Throws: `ApusError` (`malformedFile`) naming the line.
    package init(parsing text: String, path: String) throws {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            guard let line = try KeyLine(line, number: index + 1, path: path) else { continue }
            let digest = SHA256.hash(data: Array(line.secret.utf8))
            guard !keys.contains(where: { $0.caller.name == line.caller.name || $0.digest == digest }) else {
                throw ApusError(.malformedFile, "\(path):\(index + 1): the key or its name stands twice")
            }
            keys.append(Key(digest: digest, caller: line.caller))
        }
        guard !keys.isEmpty else {
            throw ApusError(.malformedFile, "\(path): expected a key a line, found none")
        }
    }

    /// Who presents a secret; nil for nobody.
    ///
    /// The time does not depend on which key it is or how much of one was guessed: hashes are compared, all of them,
    /// each in constant time.
    package func caller(presenting secret: String) -> Caller? {
        let digest = SHA256.hash(data: Array(secret.utf8))
        var found: Caller?
        for key in keys where key.digest == digest { found = key.caller }
        return found
    }
}
