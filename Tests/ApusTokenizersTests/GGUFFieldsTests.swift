import ApusCore
import ApusFormats
import ApusTestSupport
import ApusTokenizers
import Testing

/// Tokenizers written as GGUF metadata, read again.
struct GGUFFieldsTests {
    /// The tokenizer that a GGUF file with these fields holds.
    private func read(_ tokenizer: Tokenizer, count: Int? = nil) throws -> (Tokenizer, GGUFMetadata) {
        let fields = try tokenizer.ggufFields(count: count ?? tokenizer.vocabularySize)
        let folder = try TemporaryFolder()
        let file = try GGUFFile(path: folder.write(GGUFHeader(fields: fields, tensors: []).bytes, to: "fields.gguf"))
        return (try Tokenizer(file), file.metadata)
    }

    /// Texts without what GGUF has no place for: tokens that swallow white space or stand for whole words, and spaces that
    /// only some texts begin with.
    @Test(arguments: ["gpt-2", "llama-bpe", "smollm", "falcon", "deepseek-coder", "llama-spm", "gemma", "metaspace"])
    func textsHaveTheSameTokens(name: String) throws {
        let folder = Fixture.path("tokenizers/json")
        let tokenizer = try Tokenizer(json: try MappedFile(path: "\(folder)/\(name).json").bytes)
        let (written, _) = try read(tokenizer)
        let record = try JSONValue(parsing: MappedFile(path: "\(folder)/vectors.json").bytes)
        let texts = try record.member("texts").elements().map { try $0.string() }
            .filter { text in !["<|user|>", "[MASK]", "rock"].contains { text.contains($0) } }
            // This one puts no space before a text that has one, nor behind an added token.
            .filter { name != "metaspace" || !" ▁".contains($0.first ?? "a") && !$0.contains("foo_bar") }
        var differing: [String] = []
        for text in texts
        where written.encode(text) != tokenizer.encode(text)
            || written.encode(text, parseSpecial: false) != tokenizer.encode(text, parseSpecial: false)
        {
            differing.append(text)
        }
        #expect(differing.isEmpty, "\(name): \(differing.count) of \(texts.count): \(differing.prefix(12))")
        for id in 0..<Int32(tokenizer.vocabularySize) {
            #expect(written.token(id) == tokenizer.token(id), "\(name) \(id)")
        }
        #expect(written.endOfGeneration == tokenizer.endOfGeneration)
        if let bos = tokenizer.bos { #expect(written.bos == bos) }
        if let eos = tokenizer.eos { #expect(written.eos == eos) }
    }

    /// What other people's converters wrote comes out as it is in their files.
    @Test(arguments: ["gpt-2", "llama-bpe", "qwen2", "command-r", "starcoder", "deepseek-coder", "mpt", "falcon"])
    func realVocabulariesAreWrittenAsTheyWere(name: String) throws {
        guard let path = TestFiles.vocabulary("ggml-vocab-\(name).gguf") else { return }
        let file = try GGUFFile(path: path)
        let tokenizer = try Tokenizer(file)
        let (written, metadata) = try read(tokenizer)
        for key in ["tokens", "merges"] {
            let (found, expected) = try (
                metadata.texts("tokenizer.ggml.\(key)"), file.metadata.texts("tokenizer.ggml.\(key)")
            )
            #expect(found.count == expected.count)
            let wrong = zip(found, expected).enumerated().first { $0.element.0 != $0.element.1 }
            #expect(wrong == nil, "\(name): \(key) \(wrong.map { "\($0.offset): \($0.element)" } ?? "")")
        }
        #expect(written.vocabularySize == tokenizer.vocabularySize)
    }

    @Test func rowsWithoutATokenHaveNamesAndTokensWithoutARowAreLeftOut() throws {
        let path = Fixture.path("tokenizers/json/smollm.json")
        let tokenizer = try Tokenizer(json: try MappedFile(path: path).bytes)
        let size = tokenizer.vocabularySize
        let (more, metadata) = try read(tokenizer, count: size + 3)
        #expect(more.vocabularySize == size + 3)
        #expect(try metadata.texts("tokenizer.ggml.tokens")[size + 2] == "[PAD\(size + 2)]")
        #expect(more.encode("[PAD\(size)]") == tokenizer.encode("[PAD\(size)]"))
        let fewer = try tokenizer.ggufFields(count: 1)
        guard case .strings(let tokens)? = fewer.first(where: { $0.key == "tokenizer.ggml.tokens" })?.value else {
            Issue.record("expected tokens")
            return
        }
        #expect(tokens.count == 1)
    }

    @Test func whatGGUFCannotDescribeIsRefused() throws {
        func refusal(_ name: String, _ changes: [(String, String)] = []) throws -> String {
            let path = Fixture.path("tokenizers/json/\(name).json")
            var text = try MappedFile(path: path).bytes.repairedText
            for (old, new) in changes {
                #expect(text.contains(old))
                text = text.replacing(old, with: new)
            }
            let tokenizer = try Tokenizer(json: Array(text.utf8))
            let error = #expect(throws: ApusError.self) { _ = try tokenizer.ggufFields(count: 10) }
            #expect(error?.code == .unsupported)
            return error?.message ?? ""
        }
        #expect(try refusal("bert-uncased").contains("found WordPiece"))
        #expect(try refusal("metaspace", [(#""split":false"#, #""split":true"#)]).contains("found split true"))
        let merges = (#"["a","c"],["c","o"]]"#, #"["a","c"],["ac","o"],["c","o"],["a","co"]]"#)
        #expect(
            try refusal("metaspace", [merges, (#""vocab":{"#, #""vocab":{"aco":443,"#)]).contains("token 443 again")
        )
        let whole = (#""ignore_merges":false"#, #""ignore_merges":true"#)
        #expect(try refusal("smollm", [whole]).contains("ignore_merges false for pre-tokenizer smollm"))
        #expect(try refusal("qwen2", [(#""use_regex":false"#, #""use_regex":true"#)]).contains("has a name for"))
    }
}

extension GGUFMetadata {
    fileprivate func texts(_ key: String) throws -> [String] { try strings(key).map(\.repairedText) }
}
