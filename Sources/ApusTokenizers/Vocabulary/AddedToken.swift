/// A token whose text is matched whole in the input, before the model sees the rest.
struct AddedToken: Sendable {
    let id: Int32
    let bytes: [UInt8]
    /// Whether it is a marker, matched only when special tokens are parsed.
    let isSpecial: Bool
    /// Whether white space before it belongs to it.
    var stripsLeft = false
    /// Whether white space after it belongs to it.
    var stripsRight = false
    /// Whether letters, digits and marks beside it prevent the match.
    var isSingleWord = false
    /// Whether it is looked for after normalization, inside what the others left over.
    var isNormalized = false
}
