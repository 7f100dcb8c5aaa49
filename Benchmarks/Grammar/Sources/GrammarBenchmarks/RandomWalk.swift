import ApusCore
import ApusFormats
import ApusGrammar
import ApusTokenizers

/// The tokens that walks are made of.
struct WalkVocabulary {
    let trie: TokenTrie
    let texts: [[UInt8]]
    /// Tokens that bring a text nearer to its end, the best first.
    let closing: [Int32]

    /// The 256 bytes, and one token that ends a text.
    static let bytes = WalkVocabulary((0...255).map { [UInt8($0)] } + [[]], end: [256])

    init(path: String) throws {
        let tokenizer = try Tokenizer(GGUFFile(path: path))
        let ids = 0..<Int32(truncatingIfNeeded: tokenizer.vocabularySize)
        self.init(
            ids.map { tokenizer.isSpecial($0) ? [] : tokenizer.token($0) },
            end: tokenizer.endOfGeneration
        )
    }

    private init(_ texts: [[UInt8]], end: Set<Int32>) {
        self.texts = texts
        trie = TokenTrie(tokens: texts, endOfGeneration: end)
        let letters = "}]\"".utf8.compactMap { byte in texts.firstIndex(of: [byte]).map { Int32($0) } }
        closing = Array(end) + letters
    }
}

/// A text that a grammar's masks lead to, with tokens chosen at random.
struct RandomWalk {
    private static let steeredAfter = 40
    private static let longest = 4_000

    private(set) var matcher: GrammarMatcher
    private(set) var text: [UInt8] = []
    private(set) var tokenCount = 0
    private let vocabulary: WalkVocabulary
    private var generator: SeededGenerator

    init(_ matcher: GrammarMatcher, _ vocabulary: WalkVocabulary, seed: UInt64) {
        self.matcher = matcher
        self.vocabulary = vocabulary
        generator = SeededGenerator(state: seed)
    }

    /// The tokens that may come next.
    mutating func allow(_ mask: inout TokenMask) throws { try matcher.allowedTokens(into: &mask) }

    /// Goes on by one of these tokens; false at the end.
    mutating func advance(_ mask: TokenMask) throws -> Bool {
        guard let choice = choose(mask) else { throw ApusError(.invalidArgument, "walk: no token is allowed") }
        guard try matcher.accept(choice) else { throw ApusError(.invalidArgument, "walk: \(choice) is refused") }
        tokenCount += 1
        if !matcher.isEnded { text += vocabulary.texts[Int(choice)] }
        return !matcher.isEnded && tokenCount < Self.longest
    }

    /// Any token; once the text is long, one that closes something.
    private mutating func choose(_ mask: TokenMask) -> Int32? {
        if tokenCount > Self.steeredAfter, let closing = vocabulary.closing.first(where: mask.contains) {
            return closing
        }
        let start = Int.random(in: 0..<mask.vocabularySize, using: &generator)
        return (0..<mask.vocabularySize).lazy.map { Int32((start + $0) % mask.vocabularySize) }
            .first { mask.contains($0) }
    }

    /// Prints texts of each of a file's schemas that come to their end: lines `NUMBER TEXT`, newlines as U+0001.
    static func printAll(_ vocabulary: WalkVocabulary, schemas path: String, count: Int) throws {
        let document = try JSONValue(parsing: MappedFile(path: path).bytes)
        for (number, entry) in try document.elements().enumerated() {
            guard let schema = try entry.members()["schema"] else { continue }
            var matcher = try GrammarMatcher(JSONSchemaCompiler.compile(schema), vocabulary.trie)
            var mask = TokenMask(vocabularySize: vocabulary.trie.vocabularySize)
            for seed in 0..<count {
                var walk = try RandomWalk(matcher.restarted(), vocabulary, seed: UInt64(number * 1_000 + seed))
                repeat { try walk.allow(&mask) } while try walk.advance(mask)
                matcher = walk.matcher
                guard matcher.isEnded else { continue }
                let line = walk.text.map { $0 == 0x0A ? 1 : $0 }
                print("\(number) \(String(decoding: line, as: UTF8.self))")
            }
        }
    }
}
