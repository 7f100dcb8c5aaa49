import ApusCore
import ApusFormats
import ApusGrammar
import Testing

struct GrammarMatcherTests {
    @Test("A mask holds exactly the tokens that would be accepted")
    func maskEqualsAcceptance() throws {
        let rules = try schema(#"{"type":"object","properties":{"abc":{"type":["string","boolean"]}}}"#)
        var generator = SeededGenerator(state: 7)
        var matcher = try GrammarMatcher(rules, ByteVocabulary.trie)
        var mask = TokenMask(vocabularySize: ByteVocabulary.trie.vocabularySize)
        for _ in 0..<60 {
            try matcher.allowedTokens(into: &mask)
            for id in 0..<Int32(mask.vocabularySize) {
                var copy = matcher
                #expect(try copy.accept(id) == mask.contains(id))
            }
            let allowed = (0..<Int32(mask.vocabularySize)).filter { mask.contains($0) }
            guard let choice = allowed.randomElement(using: &generator) else { break }
            #expect(try matcher.accept(choice))
        }
    }

    @Test("The end is allowed exactly when the text is complete, and nothing after it")
    func end() throws {
        var matcher = try GrammarMatcher(gbnf(#"root ::= "ab"+"#), ByteVocabulary.trie)
        var mask = TokenMask(vocabularySize: 0)
        #expect(try !matcher.accept(ByteVocabulary.end))
        #expect(try matcher.accept(97))
        #expect(!matcher.isComplete)
        #expect(try matcher.accept(98))
        try matcher.allowedTokens(into: &mask)
        #expect(mask.contains(ByteVocabulary.end) && mask.contains(97) && mask.count == 2)
        #expect(try matcher.accept(ByteVocabulary.end))
        #expect(matcher.isEnded)
        try matcher.allowedTokens(into: &mask)
        #expect(mask.isEmpty)
        #expect(try !matcher.accept(97))
        try matcher.rollback(1)
        #expect(try matcher.accept(97))
    }

    @Test("Ids outside the vocabulary are refused")
    func strangeIds() throws {
        var matcher = try GrammarMatcher(gbnf(#"root ::= .*"#), ByteVocabulary.trie)
        for id in [-1, Int32.min, Int32.max, Int32(ByteVocabulary.trie.vocabularySize)] {
            #expect(try !matcher.accept(id))
        }
    }

    @Test("Rolling back leads to the masks from before")
    func rollback() throws {
        var matcher = try GrammarMatcher(JSONSchemaCompiler.anyObject(), ByteVocabulary.trie)
        var masks: [TokenMask] = []
        var mask = TokenMask(vocabularySize: 0)
        for byte in #"{"a": [1, {"b": "c"}]}"#.utf8 {
            try matcher.allowedTokens(into: &mask)
            masks.append(mask)
            #expect(try matcher.accept(Int32(byte)))
        }
        for expected in masks.reversed() {
            try matcher.rollback(1)
            try matcher.allowedTokens(into: &mask)
            #expect(mask == expected)
        }
        #expect(throws: ApusError.self) { try matcher.rollback(1) }
        #expect(throws: ApusError.self) { try matcher.rollback(-1) }
    }

    @Test("Forgetting states changes no mask")
    func forgetting() throws {
        var limits = GrammarLimits()
        (limits.stateCount, limits.rollbackCount, limits.maskCount) = (40, 8, 2)
        let text = #"{"type":"array","items":{"type":"string","maxLength":300}}"#
        var small = try GrammarMatcher(schema(text, limits: limits), ByteVocabulary.trie)
        var large = try GrammarMatcher(schema(text), ByteVocabulary.trie)
        var (left, right) = (TokenMask(vocabularySize: 0), TokenMask(vocabularySize: 0))
        for byte in ("[\"" + String(repeating: "é", count: 300)).utf8 {
            #expect(try small.accept(Int32(byte)) && large.accept(Int32(byte)))
            try small.allowedTokens(into: &left)
            try large.allowedTokens(into: &right)
            #expect(left == right)
        }
        // The quote, and the token that begins with it.
        #expect(left.contains(34) && left.count == 2)
        try small.rollback(8)
        try large.rollback(8)
        try small.allowedTokens(into: &left)
        try large.allowedTokens(into: &right)
        #expect(left == right)
    }

    @Test("A mask sets all other logits to minus infinity, those beyond the vocabulary too")
    func apply() {
        var mask = TokenMask(vocabularySize: 70)
        mask.insert(3)
        mask.insert(69)
        mask.insert(70)
        var logits = [Float](repeating: 1, count: 130)
        var span = logits.mutableSpan
        mask.apply(to: &span)
        #expect(logits.indices.filter { logits[$0] == 1 } == [3, 69])
        #expect(logits[129] == -.infinity)
    }

    @Test("Random walks end in documents that the parser reads", arguments: 0..<20)
    func randomWalks(_ seed: Int) throws {
        let rules =
            seed % 2 == 0
            ? try JSONSchemaCompiler.anyObject()
            : try schema(
                #"""
                {"type":"object","properties":{"n":{"type":"integer","minimum":-5,"maximum":1200},
                 "d":{"type":"string","format":"date-time"},"p":{"type":"string","pattern":"^[a-z\\\\]{2,5}\\d$"},
                 "t":{"$ref":"#/$defs/tree"},"e":{"enum":[1,"x",null,[1,{"a":2}]]}},"required":["n","t"],
                 "$defs":{"tree":{"type":"object","properties":{"left":{"$ref":"#/$defs/tree"}},
                 "additionalProperties":{"type":"number","exclusiveMinimum":3}}}}
                """#
            )
        var generator = SeededGenerator(state: UInt64(seed))
        var matcher = try GrammarMatcher(rules, ByteVocabulary.trie)
        var mask = TokenMask(vocabularySize: 0)
        var text: [UInt8] = []
        while !matcher.isEnded {
            try matcher.allowedTokens(into: &mask)
            var allowed = (0..<Int32(mask.vocabularySize)).filter { mask.contains($0) }
            try #require(!allowed.isEmpty, "\(String(decoding: text, as: UTF8.self))")
            // Long texts are steered to their end.
            if text.count > 200 {
                for closing in [ByteVocabulary.end, 0x7D, 0x5D, 0x22] where mask.contains(closing) {
                    allowed = [closing]
                    break
                }
            }
            let choice = try #require(allowed.randomElement(using: &generator))
            #expect(try matcher.accept(choice))
            if choice < 256 { text.append(UInt8(choice)) }
            if choice > 256 { text += Array(ByteVocabulary.words[Int(choice) - 257].utf8) }
            try #require(text.count < 20_000)
        }
        #expect(try JSONValue(parsing: text, name: "walk").kind == .object)
    }
}
