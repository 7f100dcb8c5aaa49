import ApusCore
import ApusTokenizers
import Testing

@Suite("Hostile vocabularies are errors")
struct HostileVocabularyTests {
    private func expectError(_ json: [UInt8], _ part: String, _ location: SourceLocation = #_sourceLocation) {
        do {
            _ = try Tokenizer(json: json)
            Issue.record("loaded", sourceLocation: location)
        } catch let error as ApusError {
            let isNamed = error.message.contains(part) && error.message.contains("tokenizer.json")
            #expect(isNamed, "\(error.message)", sourceLocation: location)
        } catch {
            Issue.record("\(error)", sourceLocation: location)
        }
    }

    @Test(
        "tokenizer.json with contradictions",
        arguments: [
            (ToyTokenizer.byteLevel(vocabulary: #""ab": 97"#), "two for 97"),
            (ToyTokenizer.byteLevel(vocabulary: #""ab": -1"#), "found -1"),
            (ToyTokenizer.byteLevel(vocabulary: #""ab": 4000000000"#), "found 4000000000"),
            (ToyTokenizer.byteLevel(vocabulary: #""ab": 9223372036854775807"#), "found 9223372036854775807"),
            (ToyTokenizer.byteLevel(vocabulary: #""a": 300"#), "model.vocab"),
            (ToyTokenizer.byteLevel(merges: #""a b""#), "model.merges[0]"),
            (ToyTokenizer.byteLevel(merges: #""ab""#), "model.merges[0]"),
            (ToyTokenizer.byteLevel(merges: #""""#), "model.merges[0]"),
            (ToyTokenizer.byteLevel(merges: #"["a"]"#), "model.merges[0]"),
            (ToyTokenizer.byteLevel(merges: "7"), "array"),
            (ToyTokenizer.byteLevel(added: #"{"id": 97, "content": "x"}"#), "added_tokens"),
            (ToyTokenizer.byteLevel(added: #"{"id": -5, "content": "x"}"#), "found -5"),
            (ToyTokenizer.byteLevel(added: #"{"id": 256}"#), "content"),
            (
                ToyTokenizer.byteLevel(
                    preTokenizer: #"{"type": "Split", "pattern": {"Regex": "x+"}, "behavior": "Isolated"}"#
                ), "x+"
            ),
            (ToyTokenizer.byteLevel(preTokenizer: #"{"type": "Weird"}"#), "Weird"),
            (ToyTokenizer.byteLevel(normalizer: #"{"type": "Lowercase"}"#), "Lowercase"),
            (
                ToyTokenizer.byteLevel(
                    postProcessor: #"{"type": "BertProcessing", "cls": ["x", 999999], "sep": ["y", 1]}"#
                ), "999999"
            ),
            (Array(#"{"model": {"type": "Unigram", "vocab": {"a": 0}}}"#.utf8), "Unigram"),
            (Array(#"{"model": {"type": "BPE", "vocab": {}, "merges": []}}"#.utf8), "found 0"),
            (Array(#"{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}}"#.utf8), "pre_tokenizer"),
            (Array(#"{}"#.utf8), "model"),
        ]
    )
    func contradictionsAreNamed(json: [UInt8], part: String) { expectError(json, part) }

    @Test("A vocabulary without byte tokens drops what it cannot spell, as the reference does")
    func missingBytesAreDropped() throws {
        let json =
            #"{"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "model": {"vocab": {"a": 0}, "merges": []}}"#
        let tokenizer = try Tokenizer(json: Array(json.utf8))
        #expect(tokenizer.encode("abca") == [0, 0])
        #expect(tokenizer.token(7) == [] && tokenizer.token(-1) == [])
        #expect(tokenizer.decode([-1, 0, .max, .min]) == Array("a".utf8))
    }
}
