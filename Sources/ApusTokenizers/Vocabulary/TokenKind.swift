/// What a token is for; the raw values are those of GGUF's `tokenizer.ggml.token_type`.
package enum TokenKind: UInt8, Sendable {
    /// A piece of text.
    case normal = 1
    /// What stands for text outside the vocabulary.
    case unknown = 2
    /// A marker that text never produces unless special tokens are parsed.
    case control = 3
    /// Text that is always matched whole, before everything else.
    case userDefined = 4
    /// An id without a use.
    case unused = 5
    /// One byte, for text outside the vocabulary.
    case byte = 6

    /// Whether the token's text is a marker rather than content.
    package var isSpecial: Bool { self == .control || self == .unknown }
}
