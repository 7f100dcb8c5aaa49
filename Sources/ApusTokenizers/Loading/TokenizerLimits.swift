import ApusCore

/// How large the parts of a tokenizer may be: above all known ones, and small enough that a hostile file of a few
/// megabytes cannot make tables of hundreds.
enum TokenizerLimits {
    /// Tokens; the largest known vocabularies have 262,144.
    static let tokenCount = 1 << 19
    /// Bytes of all tokens; the largest known vocabularies have 4 MB.
    static let textByteCount = 1 << 24
    /// Merges; the longest known list has 514,906.
    static let mergeCount = 1 << 20
    /// Markers, and tokens that text cannot spell; Gemma has 6,400.
    static let markerCount = 1 << 16
    /// Bytes of all markers and user-defined tokens; Gemma's 6,400 have 80 kB.
    static let addedByteCount = 1 << 19

    /// Refuses a count above a limit.
    static func check(_ count: Int, atMost limit: Int, _ field: @autoclosure () -> String) throws {
        guard count <= limit else {
            throw ApusError(.unsupported, "\(field()): expected at most \(limit), found \(count)")
        }
    }

    /// Refuses added tokens that are too long together.
    static func check(_ added: [AddedToken], _ field: @autoclosure () -> String) throws {
        let byteCount = added.reduce(0) { $0 + $1.bytes.count }
        try check(byteCount, atMost: addedByteCount, "\(field()): bytes of markers and user-defined tokens")
    }
}
