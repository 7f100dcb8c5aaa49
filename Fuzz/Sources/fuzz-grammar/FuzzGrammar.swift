import ApusCore
import ApusFormats
import ApusGrammar
import FuzzSupport

/// Compiles the input, as a JSON Schema if it is JSON, otherwise as GBNF, and follows a text that the grammar allows.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzGrammar(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = FuzzInput(start, count).bytes
    let rules: GrammarRules?
    if let schema = try? JSONValue(parsing: bytes, name: "input") {
        rules = try? JSONSchemaCompiler.compile(schema)
    } else {
        rules = try? GBNFParser.parse(String(decoding: bytes, as: UTF8.self))
    }
    guard let rules else { return 0 }
    // Too ambiguous a grammar ends in an error, which is an answer.
    try? follow(rules, choices: bytes)
    return 0
}

/// The bytes, what ends a text, and longer tokens, some of them cut characters.
private let trie = TokenTrie(
    tokens: (0...255).map { [UInt8($0)] } + [Array("<end>".utf8)]
        + ["\":", "{\"", "true", "12", "abc", "\", \"", "}}", "é", "中文", "  ", "\n  "].map { Array($0.utf8) }
        + [[0xE4, 0xB8], [0xAD, 0x22], [0xFF, 0x61]],
    endOfGeneration: [256]
)

private func follow(_ rules: GrammarRules, choices: [UInt8]) throws {
    var matcher = try GrammarMatcher(rules, trie)
    var (mask, again) = (TokenMask(vocabularySize: 0), TokenMask(vocabularySize: 0))
    for step in 0..<24 {
        try matcher.allowedTokens(into: &mask)
        let allowed = (0..<Int32(trie.vocabularySize)).filter { mask.contains($0) }
        guard !allowed.isEmpty else {
            precondition(matcher.isEnded, "a text that can neither end nor go on")
            return
        }
        let token = allowed[(Int(choices[step % choices.count]) + step) % allowed.count]
        guard try matcher.accept(token) else { preconditionFailure("a token of the mask is refused") }
        // Taking back leads to the same place.
        try matcher.rollback(1)
        try matcher.allowedTokens(into: &again)
        precondition(again == mask)
        guard try matcher.accept(token) else { preconditionFailure("a token is refused the second time") }
    }
}
