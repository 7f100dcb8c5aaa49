import ApusCore

/// A line of a key file: a key, then its name and limits in any order, all but the key optional; `#` begins a comment.
///
/// ```
/// sk-5f2b…  alice  concurrency=4  tokens-per-minute=20000
/// ```
package struct KeyLine {
    package let secret: Substring
    package let caller: Caller

    /// Reads a line; nil for one without a key.
    /// - Throws: `ApusError` (`malformedFile`) naming the line, never showing a key.
    package init?(_ line: Substring, number: Int, path: String) throws {
        let content = line.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).first ?? ""
        let words = content.split(whereSeparator: \.isWhitespace)
        guard let secret = words.first else { return nil }
        self.secret = secret
        caller = try Self.caller(words.dropFirst(), defaultName: "key-\(number)", place: "\(path):\(number)")
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
            let limit: WritableKeyPath<Caller, Int?>
            switch name {
            case "concurrency": limit = \.concurrency
            case "tokens-per-minute": limit = \.tokensPerMinute
            default:
                // Not shown: it may be a key in the wrong place.
                throw ApusError(
                    .malformedFile,
                    "\(place): expected concurrency=N or tokens-per-minute=N, found an unknown limit"
                )
            }
            guard let value = Int(text), value > 0 else {
                throw ApusError(.malformedFile, "\(place): \(name): expected a whole number above 0")
            }
            caller[keyPath: limit] = value
        }
        caller.name = caller.name ?? defaultName
        return caller
    }
}
