/// How a vocabulary spells text.
enum TokenDecoding: Sendable {
    /// Tokens are bytes.
    case bytes
    /// U+2581 is a space, and some tokens are single bytes. `stripsLeadingSpace` says that encoding puts a space before
    /// a text, which decoding takes away.
    case sentencePiece(byteOfToken: [Int32: UInt8], stripsLeadingSpace: Bool)
    /// Tokens are words, or with `continuationPrefix` the insides of words.
    case wordPiece(continuationPrefix: [UInt8])

    /// Appends the bytes a token stands for, without what decoding puts between tokens.
    func append(_ id: Int32, _ vocabulary: Vocabulary, to bytes: inout [UInt8]) {
        let text = vocabulary.index.bytes(of: id)
        guard !vocabulary.kind(of: id).isSpecial else {
            bytes += text
            return
        }
        switch self {
        case .bytes:
            bytes += text
        case .sentencePiece(let byteOfToken, _):
            if let byte = byteOfToken[id] { bytes.append(byte) } else { Self.appendUnmarked(text, to: &bytes) }
        case .wordPiece(let continuationPrefix):
            bytes += text.dropFirst(isContinuation(text) ? continuationPrefix.count : 0)
        }
    }

    /// Whether a WordPiece token continues the word before it.
    func isContinuation(_ text: ArraySlice<UInt8>) -> Bool {
        guard case .wordPiece(let continuationPrefix) = self else { return false }
        return text.starts(with: continuationPrefix)
    }

    /// Appends a text with its space marks turned back into spaces.
    private static func appendUnmarked(_ text: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
        var rest = text
        while let first = rest.first {
            if rest.starts(with: SentencePieceModel.spaceMark) {
                bytes.append(UInt8(ascii: " "))
                rest = rest.dropFirst(SentencePieceModel.spaceMark.count)
            } else {
                bytes.append(first)
                rest = rest.dropFirst()
            }
        }
    }
}
