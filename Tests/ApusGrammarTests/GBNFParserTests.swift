import ApusCore
import ApusGrammar
import Testing

struct GBNFParserTests {
    @Test(
        "Each construct takes what it describes and nothing else",
        arguments: [
            (#"root ::= "a" | "b" "c""#, ["a", "bc"], ["", "b", "ac", "abc"]),
            (#"root ::= ("a" | "b")* "c""#, ["c", "abac"], ["", "ab", "cc"]),
            (#"root ::= "a"+"#, ["a", "aaa"], [""]),
            (#"root ::= "a"? "b""#, ["b", "ab"], ["a", "aab"]),
            (#"root ::= "a"{2}"#, ["aa"], ["a", "aaa"]),
            (#"root ::= "a"{2,}"#, ["aa", "aaaa"], ["a"]),
            (#"root ::= ("a" "b"){1,3}"#, ["ab", "ababab"], ["", "aba", "abababab"]),
            (#"root ::= "a"{0,0} "b""#, ["b"], ["ab"]),
            (#"root ::= [a-cx]"#, ["a", "b", "c", "x"], ["d", "", "ab"]),
            (#"root ::= [^a-c\n]"#, ["d", "é", "\u{1F600}"], ["a", "b", "\n", ""]),
            (#"root ::= [a-]"#, ["a", "-"], ["b"]),
            (#"root ::= [\]\[]"#, ["]", "["], ["\\"]),
            (#"root ::= [à-ü]"#, ["à", "é", "ü"], ["ý", "a", "ß"]),
            (#"root ::= ."#, ["a", "é", "\u{10FFFF}"], ["", "ab"]),
            (#"root ::= "\x41\u00e9\U0001F600\t\"\\""#, ["Aé\u{1F600}\t\"\\"], ["A"]),
            ("# what\nroot ::= a # one\na ::= \"x\"\n  # two\n", ["x"], ["a"]),
            ("root ::= (\n  \"a\" |\n  b\n)\nb ::= \"b\"", ["a", "b"], [""]),
            (#"root ::= "(" root ")" | "x""#, ["x", "((x))"], ["(x", "()"]),
            (#"root ::= """#, [""], ["a"]),
            (#"root ::= ("a"*)* "b""#, ["b", "aaab"], ["a"]),
        ]
    )
    func constructs(_ grammar: String, _ valid: [String], _ invalid: [String]) throws {
        let rules = try gbnf(grammar)
        for text in valid { #expect(try accepts(rules, text), "\(grammar) takes \(text)") }
        for text in invalid { #expect(try !accepts(rules, text), "\(grammar) refuses \(text)") }
    }

    @Test(
        "A faulty grammar is refused, and the message says where",
        arguments: [
            ("", "root"), ("a ::= \"x\"", "root"), ("root ::= \"x", "line 1:12"), ("root ::= (\"x\"", "line 1:14"),
            ("root = \"x\"", "line 1:6"), ("root ::= \"x\"\nroot ::= \"y\"", "second root"),
            ("root ::= other", "other"), ("root ::= [b-a]", "order"), ("root ::= \"a\"{3,2}", "order"),
            ("root ::= \"a\"{99999999999999999999}", "at most"), ("root ::= \"\\q\"", "backslash"),
            ("root ::= \"\\ud800\"", "scalar"), ("root ::= root \"a\" | \"b\"", "left-recursive"),
            ("root ::= a\na ::= b? root", "not defined"),
            ("root ::= b? root \"x\" | \"y\"\nb ::= \"b\"", "left-recursive"),
            ("root ::= \"a\" root", "no finite text"), ("root ::= <think>", "tokens"),
            ("root ::= \"a\" )", "end of the line"),
        ]
    )
    func faults(_ grammar: String, _ part: String) throws {
        let error = try #require(throws: ApusError.self) { try gbnf(grammar) }
        #expect(error.message.contains(part), "\(error.message)")
    }

    @Test("Sixty thousand nested groups are an error")
    func nestedGroups() {
        let text = "root ::= " + String(repeating: "(", count: 60_000) + "\"a\"" + String(repeating: ")", count: 60_000)
        #expect(throws: ApusError.self) { try gbnf(text) }
    }

    @Test("Nested repetitions don't multiply, and too many nodes are an error")
    func nestedRepetitions() throws {
        let nested = try gbnf(#"root ::= ((("a" "b"){1000} "c"){1000} "d"){1000}"#)
        #expect(nested.nodeCount < 10_000)
        let long = (0..<100).map { "r\($0) ::= [a-z]{20000}\n" }.joined()
        #expect(throws: ApusError.self) { try gbnf(long + "root ::= r1") }
        #expect(throws: ApusError.self) { try gbnf(String(repeating: "#", count: 2_000_000)) }
    }

    @Test("Ten thousand rules that call each other in a row are checked quickly")
    func longChain() throws {
        let rules = (0..<10_000).map { "r\($0) ::= r\($0 + 1) \"x\"?\n" }.joined()
        let chain = try gbnf(rules + "r10000 ::= \"y\"\nroot ::= r9000")
        #expect(try accepts(chain, "yxxx"))
    }

    @Test("A grammar with exponentially many readings stays within its limits")
    func ambiguity() throws {
        let rules = try gbnf(#"root ::= "a" | root2 root2"# + "\n" + #"root2 ::= "a" root2? root2?"#)
        var matcher = try GrammarMatcher(rules, ByteVocabulary.trie)
        do {
            for _ in 0..<300 { #expect(try matcher.accept(97)) }
        } catch let error as ApusError {
            #expect(error.code == .unsupported)
        }
    }

    @Test("Recursion stops at the depth limit, on the right it goes on")
    func depth() throws {
        var limits = GrammarLimits()
        limits.stackDepth = 3
        let nested = try GBNFParser.parse(#"root ::= "(" root ")" | "x""#, limits: limits)
        #expect(try accepts(nested, "(((x)))"))
        #expect(try !accepts(nested, "((((x))))"))
        let right = try GBNFParser.parse(#"root ::= "a" root | "x""#, limits: limits)
        #expect(try accepts(right, String(repeating: "a", count: 5_000) + "x"))
    }
}
