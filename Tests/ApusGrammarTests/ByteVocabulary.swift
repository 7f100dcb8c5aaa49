import ApusFormats
import ApusGrammar

/// A vocabulary of the 256 bytes, a few longer tokens and one that ends a text.
enum ByteVocabulary {
    static let end: Int32 = 256
    static let words = ["\":", "{\"", "true", "alse", "ull", "12", "abc", "\", \"", "}}", "é", "\u{1F600}", "  "]
    static let trie = TokenTrie(
        tokens: (0...255).map { [UInt8($0)] } + [Array("<end>".utf8)] + words.map { Array($0.utf8) },
        endOfGeneration: [end]
    )
}

/// Whether a grammar takes a whole text, byte by byte.
func accepts(_ rules: GrammarRules, _ text: String) throws -> Bool {
    var matcher = try GrammarMatcher(rules, ByteVocabulary.trie)
    for byte in text.utf8 where try !matcher.accept(Int32(byte)) { return false }
    return matcher.isComplete
}

func gbnf(_ text: String) throws -> GrammarRules { try GBNFParser.parse(text) }

func schema(_ text: String, limits: GrammarLimits = GrammarLimits()) throws -> GrammarRules {
    try JSONSchemaCompiler.compile(JSONValue(parsing: Array(text.utf8), name: "schema"), limits: limits)
}

/// A generator with a seed, the same on every machine (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }
}
