/// Turns a stream of tokens into text as it comes, never splitting a character.
///
/// Bytes that don't yet make up a character wait for the next token. Only bytes that can no longer become one turn into
/// U+FFFD, one for each maximal part of a character (Unicode 16, section 3.9, "U+FFFD Substitution of Maximal
/// Subparts"). A value: copy it to try a continuation.
public struct StreamingDetokenizer: Sendable {
    private var decoder: TokenDecoder
    private var pending: [UInt8] = []

    /// Starts a stream.
    /// - Parameters:
    ///   - tokenizer: the vocabulary.
    ///   - skipSpecial: whether markers are left out.
    ///   - continuesText: whether the tokens continue a text; if not, the space that some vocabularies put before a
    ///     text is taken away.
    public init(_ tokenizer: Tokenizer, skipSpecial: Bool = true, continuesText: Bool = false) {
        decoder = TokenDecoder(tokenizer, skipSpecial: skipSpecial, continuesText: continuesText)
    }

    /// The text that a token completes; empty while its characters are unfinished.
    public mutating func append(_ id: Int32) -> String {
        decoder.append(id, to: &pending)
        let kept = UTF8Scanner.incompleteSuffixLength(pending)
        let text = String(decoding: pending.dropLast(kept), as: UTF8.self)
        pending.removeFirst(pending.count - kept)
        return text
    }

    /// What is left at the end of the stream: U+FFFD for an unfinished character, else nothing.
    public mutating func flush() -> String {
        defer { pending.removeAll() }
        return String(decoding: pending, as: UTF8.self)
    }
}
