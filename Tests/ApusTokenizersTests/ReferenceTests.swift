import ApusCore
import ApusFormats
import ApusTokenizers
import Foundation
import Testing

@Suite("Equal to the references")
struct ReferenceTests {
    private static let folders = [TestFiles.fixtures] + (TestFiles.vectors.map { [$0] } ?? [])
    private static let idFiles = folders.flatMap { (try? TestFiles.idFiles(in: $0)) ?? [] }

    @Test("Every pre-tokenizer cuts hostile texts where the reference does", arguments: folders)
    func boundariesMatch(folder: URL) throws {
        let cases = try TestFiles.json(folder.appending(path: "boundaries.json")).member("cases").elements()
        #expect(cases.count > 100)
        for value in cases {
            let text = try value.member("text").string()
            for preTokenizer in PreTokenizer.all {
                let expected = try value.member("lengths").member(preTokenizer.name).elements().map { try $0.integer() }
                let found = preTokenizer.pieces(of: Array(text.utf8)).map(\.count)
                #expect(found == expected, "\(preTokenizer.name): \(text.debugDescription)")
            }
        }
    }

    @Test("Ids of hostile texts are those of the reference, and decode to the text", arguments: idFiles)
    func idsMatch(file: URL) throws {
        let fixture = try TestFiles.json(file)
        guard let path = TestFiles.vocabulary(try fixture.member("vocabulary").string()) else { return }
        let tokenizer = try Tokenizer(try GGUFFile(path: path))
        let cases = try fixture.member("cases").elements().map(ReferenceCase.init)
        #expect(cases.count > 100)
        for testCase in cases {
            let shown = String(decoding: testCase.bytes, as: UTF8.self).debugDescription
            let parsed = tokenizer.encode(testCase.bytes, parseSpecial: true, addSpecial: false)
            #expect(parsed == testCase.ids, "\(shown)")
            let plain = tokenizer.encode(testCase.bytes, parseSpecial: false, addSpecial: false)
            #expect(plain == testCase.plainIDs, "without special tokens: \(shown)")
            #expect(streamed(parsed, tokenizer) == String(decoding: tokenizer.decode(parsed), as: UTF8.self))
        }
    }

    @Test(
        "Ids are those that llama.cpp ships with its vocabularies",
        arguments: [
            "gpt-2", "llama-bpe", "qwen2", "deepseek-llm", "deepseek-coder", "falcon", "starcoder", "refact",
            "command-r", "mpt", "llama-spm", "phi-3", "bert-bge",
        ]
    )
    func shippedIDsMatch(name: String) throws {
        guard let path = TestFiles.vocabulary("ggml-vocab-\(name).gguf") else { return }
        let tokenizer = try Tokenizer(try GGUFFile(path: path))
        let texts = try String(contentsOfFile: path + ".inp", encoding: .utf8)
            .components(separatedBy: "\n__ggml_vocab_test__\n")
        let lines = try String(contentsOfFile: path + ".out", encoding: .utf8).components(separatedBy: "\n")
        #expect(texts.count > 40)
        for (text, line) in zip(texts, lines) {
            let expected = line.split(separator: " ").compactMap { Int32($0) }
            #expect(tokenizer.encode(text, addSpecial: false) == expected, "\(text.debugDescription)")
        }
    }

    private func streamed(_ ids: [Int32], _ tokenizer: Tokenizer) -> String {
        var detokenizer = StreamingDetokenizer(tokenizer, skipSpecial: false)
        return ids.map { detokenizer.append($0) }.joined() + detokenizer.flush()
    }
}
