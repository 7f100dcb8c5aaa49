/// What pre-tokenizers ask about a code point, as a set of bits.
struct CharacterClass: OptionSet, Sendable {
    let rawValue: UInt8

    /// General category L.
    static let letter = CharacterClass(rawValue: 1)
    /// General category N.
    static let number = CharacterClass(rawValue: 2)
    /// General category M.
    static let mark = CharacterClass(rawValue: 4)
    /// General category P.
    static let punctuation = CharacterClass(rawValue: 8)
    /// General category S.
    static let symbol = CharacterClass(rawValue: 16)
    /// White_Space, what `\s` matches.
    static let space = CharacterClass(rawValue: 32)
    /// The letters that the pre-tokenizer of deepseek-llm spells out.
    static let deepseekLetter = CharacterClass(rawValue: 64)
    /// What the reference's `Digits` isolates: category N of a newer Unicode version.
    static let digit = CharacterClass(rawValue: 128)

    /// The classes of all code points.
    static let table = CodePointTable(runs: UnicodeData.categories)
}
