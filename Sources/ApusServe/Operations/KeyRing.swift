import ApusCore
import Crypto

/// The API keys of a file: only their SHA-256 hashes are kept.
///
/// A line is a key, then its name and limits in any order, all but the key optional; `#` begins a comment:
/// ```
/// sk-5f2b…  alice  concurrency=4  tokens-per-minute=20000
/// ```
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
            let content = line.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
            let words = content.split(whereSeparator: \.isWhitespace)
            guard let secret = words.first else { continue }
            let place = "\(path):\(index + 1)"
            let caller = try Self.caller(words.dropFirst(), defaultName: "key-\(index + 1)", place: place)
            let digest = SHA256.hash(data: Array(secret.utf8))
            guard !keys.contains(where: { $0.caller.name == caller.name || $0.digest == digest }) else {
                throw ApusError(.malformedFile, "\(place): the key or its name stands twice")
            }
            keys.append(Key(digest: digest, caller: caller))
        }
        guard !keys.isEmpty else {
            throw ApusError(.malformedFile, "\(path): expected a key a line, found none")
        }
    }

    private static func caller(_ words: ArraySlice<Substring>, defaultName: String, place: String) throws -> Caller {
        var caller = Caller()
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let name = parts.first, let text = parts.last else {
                guard caller.name == nil, !word.contains("=") else {
                    throw ApusError(.malformedFile, "\(place): expected one name, found another or an empty limit")
                }
                caller.name = String(word)
                continue
            }
            guard let value = Int(text), value > 0 else {
                throw ApusError(.malformedFile, "\(place): \(name): expected a whole number above 0")
            }
            switch name {
            case "concurrency": caller.concurrency = value
            case "tokens-per-minute": caller.tokensPerMinute = value
            default:
                throw ApusError(
                    .malformedFile,
                    "\(place): expected concurrency=N or tokens-per-minute=N, found an unknown limit"
                )
            }
        }
        caller.name = caller.name ?? defaultName
        return caller
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
