import ApusCore

/// The tokens of a tokenizer: what each stands for, its kind and, where the model uses them, its score.
package struct Vocabulary: Sendable {
    /// The bytes each token stands for.
    private(set) var index: TokenIndex
    private(set) var kinds: [TokenKind] = []
    // Tokens that text does not lead to, by their bytes: markers, and spellings outside a byte-level alphabet.
    private var markers: [[UInt8]: Int32] = [:]
    /// When pairs merge to each token of a SentencePiece vocabulary, smaller first; empty for others.
    private(set) var ranks: [UInt32] = []

    package init(capacity: Int, byteCapacity: Int = 0) {
        index = TokenIndex(capacity: capacity, byteCapacity: byteCapacity)
        kinds.reserveCapacity(capacity)
    }

    package var count: Int { index.count }

    /// Adds the next token.
    /// - Parameter isText: whether text of these bytes may become this token. A marker and a piece of text may have the
    ///   same bytes.
    /// - Throws: `ApusError` with code `malformedFile` if there is a token of the same bytes and sort.
    package mutating func append(_ bytes: [UInt8], kind: TokenKind, rank: UInt32? = nil, isText: Bool) throws {
        let id = Int32(truncatingIfNeeded: count)
        index.append(bytes)
        kinds.append(kind)
        if let rank { ranks.append(rank) }
        guard !bytes.isEmpty else { return }
        try TokenizerLimits.check(markers.count, atMost: TokenizerLimits.markerCount, "tokens that are no text")
        if let owner = isText ? index.makeFindable(id) : markers.updateValue(id, forKey: bytes) {
            throw ApusError(
                .malformedFile,
                "token \(id): expected a text of its own, found that of token \(owner), \(bytes.shownInMessage)"
            )
        }
    }

    /// The id of the token with these bytes, markers first; nil if there is none.
    func id(of bytes: [UInt8]) -> Int32? { markers[bytes] ?? index.id(of: bytes) }

    mutating func setKind(_ kind: TokenKind, of id: Int32) {
        guard contains(id) else { return }
        kinds[Int(id)] = kind
    }

    func contains(_ id: Int32) -> Bool { id >= 0 && id < count }

    /// The kind of a token; `unused` for an id that is not there.
    func kind(of id: Int32) -> TokenKind { contains(id) ? kinds[Int(id)] : .unused }
}

extension [UInt8] {
    /// Bytes as they may stand in a one-line message: quoted, escaped, and cut when long.
    var shownInMessage: String {
        let limit = 60
        let head = String(decoding: prefix(limit), as: UTF8.self).debugDescription
        return count > limit ? head + "…" : head
    }

    /// Appends the bytes of a span.
    mutating func append(contentsOf span: RawSpan) {
        // sound because the pointer is only read, inside the call
        span.withUnsafeBytes { append(contentsOf: $0) }
    }
}
