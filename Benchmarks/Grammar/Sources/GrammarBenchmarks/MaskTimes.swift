import ApusCore
import ApusFormats
import ApusGrammar
import ApusTokenizers

/// Times of masks over random walks, as Markdown tables.
enum MaskTimes {
    private static let walkCount = 5

    private static func open(_ properties: String) -> String {
        #"{"type":"object","properties":{\#(properties)}}"#
    }

    private static let schemas: [(name: String, text: String)] = [
        ("string", #"{"type":"string"}"#),
        ("string, maxLength 200", #"{"type":"string","minLength":3,"maxLength":200}"#),
        ("flat object, strict", #"""
            {"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},
            "email":{"type":"string","format":"email"},"active":{"type":"boolean"},"score":{"type":"number"}},
            "required":["name","age","email","active","score"],"additionalProperties":false}
            """#),
        ("the same, other members allowed", open(#""name":{"type":"string"},"nickname":{"type":"string"}"#)),
        ("array of objects, maxItems 20", #"""
            {"type":"array","minItems":5,"maxItems":20,"items":{"type":"object","properties":{"id":{"type":"integer"},
            "title":{"type":"string","maxLength":80},"tags":{"type":"array","items":{"type":"string"},"maxItems":5}},
            "required":["id","title","tags"],"additionalProperties":false}}
            """#),
        ("array of enum", #"{"type":"array","minItems":20,"items":{"enum":["red","green","blue","dark red",1,2,null]}}"#),
        ("pattern [a-z]+", #"{"type":"array","items":{"type":"string","pattern":"^[a-z]+(-[a-z]+)*$"},"minItems":10}"#),
        ("pattern with .{1,40}", #"{"type":"array","items":{"type":"string","pattern":"^.{1,40}: \\d+$"},"minItems":10}"#),
        ("date-time", #"{"type":"array","items":{"type":"string","format":"date-time"},"minItems":5}"#),
        ("numbers, bounded", #"{"type":"array","items":{"type":"number","minimum":-5,"maximum":1000},"minItems":20}"#),
        ("recursive tree", ##"""
            {"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"value":{"type":"string"},
            "children":{"type":"array","items":{"$ref":"#/$defs/n"}}},"required":["value","children"],
            "additionalProperties":false}}}
            """##),
        ("anything", "{}"),
    ]

    private static let grammars: [(name: String, text: String)] = [
        (
            "GBNF json",
            #"""
            root ::= object
            value ::= object | array | string | number | ("true" | "false" | "null") ws
            object ::= "{" ws (string ":" ws value ("," ws string ":" ws value)*)? "}" ws
            array ::= "[" ws (value ("," ws value)*)? "]" ws
            string ::= "\"" ([^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}))* "\"" ws
            number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
            ws ::= | " " | "\n" [ \t]{0,20}
            """#
        ),
        ("GBNF list of lines", #"root ::= ("- " [^\n]+ "\n"){1,20}"#),
    ]

    static func printTables(vocabulary path: String) throws {
        let vocabulary = try WalkVocabulary(path: path)
        let size = vocabulary.trie.vocabularySize
        let building = least { _ = TokenTrie(tokens: vocabulary.texts, endOfGeneration: vocabulary.trie.endOfGeneration) }
        let bytes = vocabulary.trie.byteCount
        print("\(size) tokens, arranged in \(milliseconds(building)) ms, \(Double(bytes / 10_000) / 100) MB\n")
        print("| grammar | nodes | compile ms | masks | mean µs | median | 99 % | largest | mean again |")
        print("|---|--:|--:|--:|--:|--:|--:|--:|--:|")
        for (name, text) in schemas {
            let schema = try JSONValue(parsing: Array(text.utf8), name: name)
            try printRow(name, vocabulary) { try JSONSchemaCompiler.compile(schema) }
        }
        for (name, text) in grammars { try printRow(name, vocabulary) { try GBNFParser.parse(text) } }
    }

    private static func printRow(_ name: String, _ vocabulary: WalkVocabulary, _ compile: () throws -> GrammarRules)
        throws
    {
        let rules = try compile()
        let compiling = try least { _ = try compile() }
        var matcher = try GrammarMatcher(rules, vocabulary.trie)
        let first = try walks(&matcher, vocabulary)
        let again = try walks(&matcher, vocabulary)
        let times = first.sorted()
        let figures = [
            mean(first), microseconds(times[times.count / 2]), microseconds(times[times.count * 99 / 100]),
            microseconds(times[times.count - 1]), mean(again),
        ]
        let cells = figures.map { "\($0)" }.joined(separator: " | ")
        print("| \(name) | \(rules.nodeCount) | \(milliseconds(compiling)) | \(times.count) | \(cells) |")
    }

    /// The time of each mask.
    private static func walks(_ matcher: inout GrammarMatcher, _ vocabulary: WalkVocabulary) throws -> [Duration] {
        let clock = ContinuousClock()
        var times: [Duration] = []
        for seed in 0..<walkCount {
            var walk = try RandomWalk(matcher.restarted(), vocabulary, seed: UInt64(seed))
            var mask = TokenMask(vocabularySize: vocabulary.trie.vocabularySize)
            repeat { let t = try clock.measure { try walk.allow(&mask) }
               times.append(t)
               if t > .microseconds(300) { print("   slow \(t / .microseconds(1)) µs after \(walk.tokenCount) \(mask.count): \(String(decoding: walk.text.suffix(30), as: UTF8.self).debugDescription)") }
               } while try walk.advance(mask)
            matcher = walk.matcher
        }
        return times
    }

    private static func least(_ body: () throws -> Void) rethrows -> Duration {
        let clock = ContinuousClock()
        return try (0..<5).map { _ in try clock.measure(body) }.min() ?? .zero
    }

    private static func mean(_ times: [Duration]) -> Double { microseconds(times.reduce(.zero, +) / times.count) }
    private static func microseconds(_ time: Duration) -> Double { (time / .microseconds(1) * 10).rounded() / 10 }
    private static func milliseconds(_ time: Duration) -> Double { (time / .milliseconds(1) * 100).rounded() / 100 }
}
