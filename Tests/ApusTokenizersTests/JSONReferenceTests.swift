import ApusCore
import ApusFormats
import ApusTestSupport
import ApusTokenizers
import Testing

/// tokenizer.json files of every kind against Hugging Face `tokenizers` (tools/fixtures/tokenizers_json.py).
@Suite("tokenizer.json: equal to the reference")
struct JSONReferenceTests {
    static let names = [
        "gpt-2", "llama-bpe", "qwen2", "smollm", "falcon", "deepseek-coder", "llama-spm", "metaspace", "gemma",
        "bert-uncased", "bert-cased",
    ]

    /// A tokenizer, the texts, and what the reference makes of them.
    private struct Reference {
        let tokenizer: Tokenizer
        let texts: [String]
        let invalid: [[UInt8]]
        let values: JSONValue

        init(_ name: String) throws {
            let folder = Fixture.path("tokenizers/json")
            tokenizer = try Tokenizer(json: try MappedFile(path: "\(folder)/\(name).json").bytes)
            let record = try JSONValue(parsing: MappedFile(path: "\(folder)/vectors.json").bytes)
            texts = try record.member("texts").elements().map { try $0.string() }
            invalid = try record.member("invalid").elements().map { ReferenceCase.bytes(hex: try $0.string()) }
            values = try record.member("tokenizers").member(name)
        }

        static func ids(_ value: JSONValue) throws -> [Int32] { try value.elements().map { Int32(try $0.integer()) } }
    }

    @Test("Ids, and the texts they decode to, of hostile texts", arguments: names)
    func textsMatch(name: String) throws {
        let reference = try Reference(name)
        let tokenizer = reference.tokenizer
        let cases = Array(try reference.values.member("cases").elements())
        #expect(cases.count == reference.texts.count && cases.count > 150)
        for (text, value) in zip(reference.texts, cases) {
            let expected = try Reference.ids(value.member("ids"))
            let ids = tokenizer.encode(text, addSpecial: false)
            #expect(ids == expected, "\(text.debugDescription)")
            let plain = try value.memberIfPresent("plain").map(Reference.ids) ?? expected
            #expect(tokenizer.encode(text, parseSpecial: false, addSpecial: false) == plain, "\(text.debugDescription)")
            let decoded = try value.memberIfPresent("decoded")?.string() ?? text
            #expect(Array(String(decoding: tokenizer.decode(expected), as: UTF8.self).utf8) == Array(decoded.utf8))
            if let backwards = try value.memberIfPresent("backwards")?.string() {
                let bytes = tokenizer.decode(expected.reversed())
                #expect(Array(String(decoding: bytes, as: UTF8.self).utf8) == Array(backwards.utf8))
            }
        }
    }

    @Test("What frames a text", arguments: names) func framesMatch(name: String) throws {
        let reference = try Reference(name)
        #expect(try reference.tokenizer.encode("Hello world") == Reference.ids(reference.values.member("framed")))
    }

    @Test("Bytes that are not UTF-8", arguments: names) func invalidBytesMatch(name: String) throws {
        let reference = try Reference(name)
        // Vocabularies with bytes of their own keep them; no Python string can ask the reference for that.
        let expected = try reference.values.memberIfPresent("invalid")?.elements().map(Reference.ids)
        for (index, bytes) in reference.invalid.enumerated() {
            let found = reference.tokenizer.encode(bytes, addSpecial: false)
            if let expected { #expect(found == expected[index], "\(bytes)") }
            #expect(found.allSatisfy { (0..<Int32(reference.tokenizer.vocabularySize)).contains($0) })
        }
    }
}
