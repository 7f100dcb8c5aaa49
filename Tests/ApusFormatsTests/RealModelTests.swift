import ApusCore
import ApusFormats
import ApusTestSupport
import Testing

/// The real models that tests may find on the machine; with CI=true they must be there.
@Suite struct RealModelTests {
    @Test(arguments: RealModel.wanted) func realModelsOpen(model: RealModel) throws {
        let file = try GGUFFile(path: model.path)
        let architecture = try file.metadata.string("general.architecture")
        #expect(try file.metadata.integer("\(architecture).block_count") > 0)
        #expect(try file.metadata.strings("tokenizer.ggml.tokens").count > 40_000)
        #expect(try file.metadata.integers("tokenizer.ggml.token_type").allSatisfy { (1...6).contains($0) })
        let embedding = try #require(file.tensor(named: "token_embd.weight"))
        #expect(
            embedding.shape == [
                try file.metadata.integer("\(architecture).embedding_length"),
                try file.metadata.strings("tokenizer.ggml.tokens").count,
            ]
        )
        #expect(embedding.bytes.count == embedding.type.byteCount(elementCount: embedding.elementCount))
    }
}
