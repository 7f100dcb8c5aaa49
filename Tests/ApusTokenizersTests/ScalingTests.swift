import ApusCore
import ApusFormats
import ApusTokenizers
import Testing

@Suite("Hostile runs stay near linear")
struct ScalingTests {
    /// Texts of one thing over and over.
    private static let units = ["a", " ", "\u{200D}", "\n", "ab", "😀", "0", "▁", "a "]

    @Test(
        "Twice the length costs at most 2.3 times the steps",
        arguments: [
            "SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m.Q4_K_M.gguf", "ggml-vocab-llama-bpe.gguf",
            "ggml-vocab-llama-spm.gguf", "ggml-vocab-bert-bge.gguf", "ggml-vocab-deepseek-llm.gguf",
        ]
    )
    func stepsGrowNearLinearly(name: String) throws {
        guard let path = TestFiles.vocabulary(name) else { return }
        let tokenizer = try Tokenizer(try GGUFFile(path: path))
        for unit in Self.units {
            let half = Array(repeatElement(unit, count: (1 << 19) / unit.utf8.count).joined().utf8)
            let small = tokenizer.encodeCountingSteps(half, parseSpecial: true, addSpecial: false)
            let large = tokenizer.encodeCountingSteps(half + half, parseSpecial: true, addSpecial: false)
            let bound = Double(small.stepCount) * 2.3 + 16
            #expect(
                Double(large.stepCount) <= bound,
                "\(unit.debugDescription): \(small.stepCount), \(large.stepCount)"
            )
        }
    }
}
