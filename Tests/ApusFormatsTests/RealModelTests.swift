import ApusCore
import ApusFormats
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The real models that tests may find on the machine; with CI=true they must be there.
@Suite struct RealModelTests {
    static let names = [
        "SmolLM2-135M-Instruct.Q4_1", "Qwen2.5-Coder-0.5B-Instruct.Q4_K_M", "Qwen2.5-Coder-1.5B-Instruct.Q4_K_M",
        "gemma-3-270m.Q4_K_M",
    ]

    static func path(_ name: String) -> String {
        let folder =
            getenv("APUS_TEST_MODELS").map { String(cString: $0) }
            ?? getenv("HOME").map { String(cString: $0) + "/.cache/apus-test-models" } ?? "."
        return "\(folder)/\(name).gguf"
    }

    static func isWanted(_ name: String) -> Bool {
        access(path(name), R_OK) == 0 || getenv("CI").map { String(cString: $0) } == "true"
    }

    @Test(arguments: names.filter(isWanted))
    func realModelsOpen(name: String) throws {
        let file = try GGUFFile(path: Self.path(name))
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
