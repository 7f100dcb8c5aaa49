import Apus
import ApusCore
import ApusTestSupport
import Testing

/// Files that are GGUF but no model: each is refused in one line that names file, field, expected and found.
///
/// A trap in any of them ends the whole test program, which is the point.
@Suite struct MalformedModelTests {
    typealias Value = TinyModelFile.Value

    @Test(arguments: TinyModelFile.architectures)
    func theUnspoiledModelRuns(architecture: String) async throws {
        for file in [TinyModelFile(architecture), TinyModelFile(architecture).withSentencePieces()] {
            // All logits are equal, so the first token is the one that ends the text.
            let outcome = try await Outcome(of: file.bytes)
            #expect(outcome.tokens != nil, "\(outcome)")
        }
    }

    // MARK: Tensors

    @Test(arguments: TinyModelFile.architectures)
    func everyMissingTensorIsNamed(architecture: String) async throws {
        let file = TinyModelFile(architecture)
        for tensor in file.tensors where !tensor.name.hasSuffix(".bias") && tensor.name != "output.weight" {
            var spoiled = file
            spoiled.tensors.removeAll { $0.name == tensor.name }
            try await expectRefusal(spoiled, ["tensor \(tensor.name) is missing"])
        }
    }

    @Test(arguments: TinyModelFile.architectures)
    func everyMisshapenTensorIsNamedWithBothShapes(architecture: String) async throws {
        let file = TinyModelFile(architecture)
        for tensor in file.tensors {
            let rowBytes = tensor.shape.count == 2 ? tensor.bytes.count / Int(tensor.shape[1]) : 4
            let last = tensor.shape.count - 1
            // One row or element fewer, one dimension more, one fewer.
            var shapes = [tensor.shape, tensor.shape + [1], [tensor.shape.reduce(1, *)]]
            shapes[0][last] -= 1
            // Another number of rows of the embedding is another vocabulary.
            if tensor.name == "token_embd.weight" { shapes.removeFirst() }
            for shape in shapes where shape != tensor.shape {
                var spoiled = file
                spoiled.change(tensor.name) { changed in
                    changed.shape = shape
                    if shape.reduce(1, *) < tensor.shape.reduce(1, *) { changed.bytes.removeLast(rowBytes) }
                }
                let found = shape.map(String.init).joined(separator: " x ")
                try await expectRefusal(spoiled, ["tensor \(tensor.name): expected shape ", "found \(found)"])
            }
        }
    }

    @Test func aVocabularySmallerThanTheTokenizersIsRefused() async throws {
        var file = TinyModelFile("llama")
        for name in ["token_embd.weight", "output.weight"] {
            file.change(name) { tensor in
                tensor.shape[1] = 30
                tensor.bytes.removeLast(10 * 34)
            }
        }
        try await expectRefusal(file, ["the tokenizer has 40 tokens, the model only 30"])
    }

    @Test(arguments: TinyModelFile.architectures)
    func aTensorOfEveryOtherTypeIsRunOrRefused(architecture: String) async throws {
        let file = TinyModelFile(architecture, width: 256)
        for tensor in file.tensors {
            for type in ElementType.allCases {
                var changed = file
                let (width, rows) = (Int(tensor.shape[0]), Int(tensor.shape.dropFirst().reduce(1, *)))
                guard let byteCount = type.byteCount(elementCount: width).map({ $0 * rows }) else { continue }
                changed.change(tensor.name) { changed in
                    changed.type = type.rawValue
                    changed.bytes = Array(repeating: 0x11, count: byteCount)
                }
                _ = try await Outcome(of: changed.bytes)
            }
            for number: UInt32 in [4, 9, 24, 28, 31, 39, 1000, .max] {
                var changed = file
                changed.change(tensor.name) { $0.type = number }
                try await expectRefusal(changed, ["tensor \"\(tensor.name)\" type"])
            }
        }
    }

    // MARK: Numbers that are none

    @Test(arguments: ElementType.allCases)
    func aScaleThatIsNoNumberIsRefusedWithTensorAndRow(type: ElementType) async throws {
        let file = TinyModelFile("llama", type: type, width: 256)
        // The embedding is not among them: its rows stay in the file until they are used.
        for name in ["output.weight", "blk.0.attn_k.weight", "blk.0.ffn_down.weight"] {
            for place in type.floatPlaces {
                var spoiled = file
                spoiled.change(name) { tensor in
                    let row = 3 * tensor.bytes.count / Int(tensor.shape[1])
                    tensor.bytes[row + place] = 0xC1
                    tensor.bytes[row + place + 1] = 0x7F
                }
                try await expectRefusal(
                    spoiled,
                    ["tensor \(name): row 3: expected finite", "found NaN or an infinity"]
                )
            }
        }
    }

    @Test(arguments: TinyModelFile.architectures, [Float.nan, .infinity, -.infinity])
    func aVectorWithSomethingThatIsNoNumberIsRefused(architecture: String, wrong: Float) async throws {
        let file = TinyModelFile(architecture)
        for tensor in file.tensors where tensor.shape.count == 1 {
            var spoiled = file
            spoiled.change(tensor.name) { tensor in
                tensor.bytes.replaceSubrange(4..<8, with: Self.bytes(of: wrong))
            }
            try await expectRefusal(spoiled, ["tensor \(tensor.name): expected finite numbers, found \(wrong)"])
        }
    }

    @Test func anEmbeddingThatIsNoNumberEndsTheAnswerWithAnError() async throws {
        // Embeddings apart from the output matrix stay in the file, where only the rows in use are read.
        var file = TinyModelFile("llama", type: .f32)
        file.change("token_embd.weight") { tensor in
            for index in tensor.bytes.indices { tensor.bytes[index] = [0, 0, 0x80, 0x7F][index % 4] }
        }
        try await expectRefusal(file, ["logits: expected finite numbers, found NaN"])
    }

    @Test(arguments: [Float.nan, .infinity, 0, -1])
    func frequencyFactorsMustBePositiveNumbers(wrong: Float) async throws {
        for (architecture, name) in [("llama", "rope_freqs.weight"), ("phi3", "rope_factors_short.weight")] {
            var file = TinyModelFile(architecture)
            let bytes = (0..<8).flatMap { _ in Self.bytes(of: wrong) }
            file.tensors.append(TinyModelFile.Tensor(name: name, type: 0, shape: [8], bytes: bytes))
            try await expectRefusal(file, ["tensor \(name): expected ", "found \(wrong)"])
            file.change(name) { $0.shape = [4, 2] }
            try await expectRefusal(file, ["tensor \(name): expected shape 8"])
        }
    }

    // MARK: Metadata

    /// Settings no family does without.
    private static let required = [
        "block_count", "embedding_length", "feed_forward_length", "attention.head_count", "context_length",
    ]

    @Test(arguments: TinyModelFile.architectures)
    func everyMissingSettingIsNamed(architecture: String) async throws {
        for name in Self.required {
            var file = TinyModelFile(architecture)
            file["\(architecture).\(name)"] = nil
            try await expectRefusal(file, ["metadata \(architecture).\(name)", "missing"])
        }
    }

    @Test(arguments: TinyModelFile.architectures)
    func everySettingOutOfRangeOrOfAnotherTypeIsNamed(architecture: String) async throws {
        let integers = Self.required + ["attention.head_count_kv", "attention.key_length"]
        let wrongIntegers: [Value] = [
            .uint32(0), .int32(-1), .int32(.min), .uint32(.max), .uint64(.max), .uint64(1 << 62), .float32(1),
            .bool(true),
            .string("32"), .integers([32, 32]), .strings([]), .floats([]),
        ]
        for name in integers {
            for value in wrongIntegers {
                var file = TinyModelFile(architecture)
                file["\(architecture).\(name)"] = value
                try await expectRefusal(file, ["\(architecture).\(name)", "expected", "found"])
            }
        }
        let wrongNumbers: [Value] = [
            .float32(.nan), .float32(.infinity), .float32(-.infinity), .float32(-1), .string("x"), .integers([1]),
        ]
        for name in ["attention.layer_norm_rms_epsilon", "rope.freq_base"] {
            for value in wrongNumbers {
                var file = TinyModelFile(architecture)
                file["\(architecture).\(name)"] = value
                try await expectRefusal(file, ["\(architecture).\(name)", "expected", "found"])
            }
        }
    }

    @Test(arguments: TinyModelFile.architectures)
    func otherSettingsAreRunOrRefused(architecture: String) async throws {
        let names = [
            "block_count", "embedding_length", "feed_forward_length", "attention.head_count", "attention.head_count_kv",
            "attention.key_length", "context_length", "rope.dimension_count", "attention.sliding_window",
            "rope.scaling.original_context_length",
        ]
        for name in names {
            for number: UInt32 in [1, 2, 3, 5, 7, 8, 31, 33, 62, 64, 1024, 65_536, 16_777_216] {
                var file = TinyModelFile(architecture)
                file["\(architecture).\(name)"] = .uint32(number)
                _ = try await Outcome(of: file.bytes)
            }
        }
        for name in ["rope.scaling.factor", "rope.scaling.attn_factor", "rope.freq_base_swa", "rope.freq_base"] {
            for kind in ["none", "linear", "yarn", "longrope", "other"] {
                for number: Float in [.nan, .infinity, 0, 1, 1e-30, 1e6, 1e12, .greatestFiniteMagnitude] {
                    var file = TinyModelFile(architecture)
                    file["\(architecture).rope.scaling.type"] = .string(kind)
                    file["\(architecture).rope.scaling.original_context_length"] = .uint32(2)
                    file["\(architecture).\(name)"] = .float32(number)
                    _ = try await Outcome(of: file.bytes)
                }
            }
        }
    }

    @Test func theShortestContextsRunOrAreRefused() async throws {
        for (length, asked) in [(1, nil), (1, 1), (1, 2), (2, nil), (2, 2), (2, 3), (3, 2)] as [(UInt32, Int?)] {
            var file = TinyModelFile("llama")
            file["llama.context_length"] = .uint32(length)
            let outcome = try await Outcome(of: file.bytes, contextLength: asked)
            #expect((outcome.tokens == nil) == (length < 2 || (asked ?? 0) > length), "\(length) \(outcome)")
        }
    }

    @Test func anUnknownArchitectureListsTheKnown() async throws {
        var file = TinyModelFile("llama")
        file["general.architecture"] = .string("mamba\nsecond line")
        try await expectRefusal(file, ["architecture", "supported are", "llama"])
        file["general.architecture"] = .uint32(1)
        try await expectRefusal(file, ["general.architecture", "expected string", "found uint32"])
        file["general.architecture"] = nil
        try await expectRefusal(file, ["general.architecture"])
    }

    // MARK: Helpers

    private static func bytes(of number: Float) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number.bitPattern >> (8 * $0)) }
    }

    /// What loading a file and asking it for two tokens gave.
    struct Outcome: CustomStringConvertible {
        let path: String
        var tokens: [Int32]?
        var error: ApusError?

        init(of bytes: [UInt8], contextLength: Int? = nil) async throws {
            let folder = try TemporaryFolder()
            try folder.write(bytes, to: "model.gguf")
            path = "\(folder.path)/model.gguf"
            let options = ModelOptions(threadCount: 1, contextLength: contextLength, memoryLimit: 1 << 30)
            do {
                let model = try await Model.load(path, options: options)
                _ = model.tokenizer.encode("abc <|endoftext|> <s> d\u{e9}f 123")
                var tokens: [Int32] = []
                let generation = GenerationOptions(sampling: .greedy, maximumTokenCount: 2)
                for try await piece in try model.generate(tokens: [1], options: generation) { tokens += piece.tokens }
                self.tokens = tokens
            } catch let error as ApusError {
                self.error = error
                #expect(!error.description.contains("\n"), "\(error)")
                let isOfFile = error.code == .malformedFile || error.code == .unsupported
                #expect(!isOfFile || error.description.contains(path), "\(error)")
            }
        }

        var description: String { error?.description ?? "tokens \(tokens ?? [])" }
    }

    private func expectRefusal(_ file: TinyModelFile, _ parts: [String]) async throws {
        let outcome = try await Outcome(of: file.bytes)
        let message = outcome.error?.description ?? "no error"
        for part in parts { #expect(message.contains(part), "\(message)") }
    }
}
