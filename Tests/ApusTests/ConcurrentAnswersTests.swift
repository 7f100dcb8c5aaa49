import Apus
import ApusTestSupport
import Testing

/// Many askers of one small model at once: what the thread sanitizer watches.
@Suite struct ConcurrentAnswersTests {
    @Test(arguments: TinyModelFile.architectures)
    func answersAskedForAtOnceAreThoseAskedForAlone(architecture: String) async throws {
        let folder = try TemporaryFolder()
        // Token 0 is what equal logits give; it must not end the text.
        var file = TinyModelFile(architecture)
        if case .strings(var tokens)? = file["tokenizer.ggml.tokens"] {
            tokens[0] = Array("!".utf8)
            file["tokenizer.ggml.tokens"] = .strings(tokens)
        }
        file["tokenizer.ggml.token_type"] = nil
        file["tokenizer.ggml.eos_token_id"] = .uint32(39)
        try folder.write(file.bytes, to: "model.gguf")
        let options = ModelOptions(threadCount: 2, memoryLimit: 1 << 30, kvPositionCount: 512)
        let model = try await Model.load("\(folder.path)/model.gguf", options: options)
        let greedy = GenerationOptions(sampling: .greedy, maximumTokenCount: 24)
        let alone = try await model.generate("abc", options: greedy).text()
        #expect(alone == String(repeating: "!", count: 24))
        try await withThrowingTaskGroup(of: String?.self) { group in
            for asker in 0..<12 {
                group.addTask {
                    let generation = try model.generate("abc", options: greedy)
                    guard asker % 3 == 0 else { return try await generation.text() }
                    // Every third one loses interest.
                    for try await _ in generation { return nil }
                    return nil
                }
            }
            for try await answer in group { #expect(answer == nil || answer == alone) }
        }
        #expect(try model.embedding(of: "abc").count == 32)
    }
}
