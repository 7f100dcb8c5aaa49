import ApusCore

extension ApusError {
    /// The error of a file whose field breaks its format: path, field, what was expected and what was found.
    static func malformed(_ path: String, _ field: String, expected: String, found: String) -> ApusError {
        ApusError(.malformedFile, "\(path): \(field): expected \(expected), found \(found)")
    }
}

extension String {
    /// A name from a file as it may stand in a one-line message: quoted, escaped, and cut when long.
    package var quotedForMessage: String {
        let limit = 80
        let head = String(unicodeScalars.prefix(limit))
        return unicodeScalars.count > limit ? head.debugDescription + "…" : head.debugDescription
    }
}
