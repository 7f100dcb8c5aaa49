import ApusCore
import ApusFormats
import ApusTokenizers
import Foundation
import Testing

@Suite("Hostile runs stay near linear")
struct ScalingTests {
    /// Texts of one thing over and over.
    private static let units = ["a", " ", "\u{200D}", "\n", "ab", "😀", "0", "▁", "a "]

    /// One of each kind.
    private static let vocabularies = [
        "SmolLM2-135M-Instruct.Q4_1.gguf", "gemma-3-270m.Q4_K_M.gguf", "ggml-vocab-llama-bpe.gguf",
        "ggml-vocab-llama-spm.gguf", "ggml-vocab-bert-bge.gguf", "ggml-vocab-deepseek-llm.gguf",
    ]

    @Test("Twice the length costs at most 2.3 times the steps", arguments: vocabularies)
    func stepsGrowNearLinearly(name: String) throws {
        guard let path = TestFiles.vocabulary(name) else { return }
        let tokenizer = try Tokenizer(try GGUFFile(path: path))
        for unit in Self.units {
            let half = Array(repeatElement(unit, count: (1 << 19) / unit.utf8.count).joined().utf8)
            func steps(_ text: [UInt8]) -> Int {
                tokenizer.encodeCountingSteps(text, parseSpecial: true, addSpecial: false, remembersPieces: false)
                    .stepCount
            }
            let (small, large) = (steps(half), steps(half + half))
            let bound = Double(small) * 2.3 + 16
            #expect(
                Double(large) <= bound,
                "\(unit.debugDescription): \(small), \(large)"
            )
        }
    }

    @Test("Remembering pieces that repeat changes no ids and saves steps", arguments: vocabularies)
    func rememberingChangesNothing(name: String) throws {
        guard let path = TestFiles.vocabulary(name) else { return }
        let tokenizer = try Tokenizer(try GGUFFile(path: path))
        let texts = try TestFiles.json(TestFiles.fixtures.appending(path: "boundaries.json")).member("cases").elements()
            .map { try $0.member("text").string() }
        // Words in another order each time, broken UTF-8 between them.
        var bytes: [UInt8] = []
        for stride in [1, 3, 7] {
            for index in texts.indices {
                bytes += Array(texts[index * stride % texts.count].utf8) + (index % 5 == 0 ? [0xE2, 0x96] : [0x20])
            }
        }
        #expect(bytes.count > 10_000)
        for parseSpecial in [true, false] {
            let plain = tokenizer.encodeCountingSteps(
                bytes,
                parseSpecial: parseSpecial,
                addSpecial: false,
                remembersPieces: false
            )
            let found = tokenizer.encodeCountingSteps(bytes, parseSpecial: parseSpecial, addSpecial: false)
            #expect(found.ids == plain.ids)
            #expect(found.stepCount <= plain.stepCount)
        }
    }
}
