/// What BERT's normalizer asks about a code point, as a set of bits.
struct BertClass: OptionSet, Sendable {
    let rawValue: UInt8

    /// Control and format characters, U+0000 and U+FFFD, which go.
    static let removed = BertClass(rawValue: 1)
    /// What becomes a space.
    static let space = BertClass(rawValue: 2)
    /// What is a word of its own.
    static let punctuation = BertClass(rawValue: 4)
    /// Marks that go with the accents (category Mn).
    static let accent = BertClass(rawValue: 8)
    /// Chinese characters.
    static let chinese = BertClass(rawValue: 16)

    /// The classes of all code points.
    static let table = CodePointTable(runs: UnicodeData.bertClasses)
}
