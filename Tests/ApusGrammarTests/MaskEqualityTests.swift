import ApusGrammar
import Testing

/// Masks are put together from sets of tokens and walks over the others: they must hold what one by one would be taken.
@Suite struct MaskEqualityTests {
    /// The bytes, and tokens of up to 40 characters: plain ones of one to four bytes, controls, quotes, cut characters.
    private static let tokens: [[UInt8]] = {
        var generator = SeededGenerator(state: 11)
        let characters = Array("aZ09 -,:{}[]<é中😀ßtruefalsenull").map { Array(String($0).utf8) }
        let special: [[UInt8]] = [
            [0x22], [0x5C], [0x0A], [0x7F], [0xE4], [0xB8, 0xAD], [0xF0, 0x9F], [0xFF], [0x22, 0x2C, 0x22],
        ]
        var tokens = (0...255).map { [UInt8($0)] }
        for _ in 0..<1_200 {
            let length = Int.random(in: 1...(Bool.random(using: &generator) ? 6 : 40), using: &generator)
            tokens.append(
                (0..<length).flatMap { _ in
                    let isSpecial = Int.random(in: 0..<25, using: &generator) == 0
                    return (isSpecial ? special : characters).randomElement(using: &generator) ?? []
                }
            )
        }
        return tokens + [Array("<end>".utf8)]
    }()

    private static let end = Int32(tokens.count - 1)
    private static let trie = TokenTrie(tokens: tokens, endOfGeneration: [end])

    private static let schemas = [
        #"{"type": "string"}"#, #"{"type": "string", "maxLength": 7}"#,
        #"{"type": "string", "minLength": 3, "maxLength": 45}"#,
        #"{"type": "string", "minLength": 40}"#,
        #"{"anyOf": [{"type": "string", "maxLength": 3}, {"const": "aaaaaaaaaaaa"}]}"#,
        #"{"type": "string", "pattern": "^[^aeiou]{1,12}$"}"#, #"{"type": "string", "pattern": "^(a|Z0)*é.{2,5}$"}"#,
        #"{"type": "array", "items": {"type": "string", "maxLength": 2}, "maxItems": 4}"#,
        #"{"type": "object", "additionalProperties": {"type": "string"}}"#, #"{"type": ["number", "string", "null"]}"#,
        #"{"type": "string", "format": "date-time"}"#, "true",
    ]
    private static let grammars = [
        "root ::= .*", #"root ::= [^"]{0,9} "é""#, #"root ::= (.{3} | "中"+) [a-z]*"#,
        #"root ::= [^\x00-\x1F"\\]* "<" root?"#,
        #"root ::= "{" [^}]* "}" | . . . ."#,
    ]

    @Test(arguments: schemas.map { (true, $0) } + grammars.map { (false, $0) })
    func aMaskHoldsWhatWouldBeTaken(isSchema: Bool, text: String) throws {
        let rules = try isSchema ? schema(text) : gbnf(text)
        var generator = SeededGenerator(state: 3)
        for _ in 0..<4 {
            var (matcher, single) = (try GrammarMatcher(rules, Self.trie), try GrammarMatcher(rules, Self.trie))
            var mask = TokenMask(vocabularySize: 0)
            for _ in 0..<15 {
                try matcher.allowedTokens(into: &mask)
                for id in 0..<Int32(Self.tokens.count) {
                    let isTaken = try single.accept(id)
                    if isTaken { try single.rollback(1) }
                    #expect(isTaken == mask.contains(id), "\(Self.tokens[Int(id)])")
                }
                let allowed = (0..<Self.end).filter { mask.contains($0) }
                guard let choice = allowed.randomElement(using: &generator) else { break }
                #expect(try matcher.accept(choice))
                #expect(try single.accept(choice))
            }
        }
    }
}
