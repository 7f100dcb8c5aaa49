import Apus
import ApusCore
import ApusFormats
import ApusQuantize
import ApusTensor
import ApusTestSupport
import Foundation
import Testing

struct GPTQTests {
    /// A model of Fixtures/models with random weights of 32 bits, as a folder or as the file it becomes.
    private struct Source {
        let folder: TemporaryFolder
        let path: String

        init(_ name: String, asFile: Bool = false) throws {
            folder = try TemporaryFolder()
            let source = "\(folder.path)/\(name)"
            try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
            for file in ["config.json", "model.safetensors"] {
                try FileManager.default.copyItem(
                    atPath: Fixture.path("models/\(name)/\(file)"),
                    toPath: "\(source)/\(file)"
                )
            }
            try folder.write(Self.tokenizer, to: "\(name)/tokenizer.json")
            guard asFile else {
                path = source
                return
            }
            path = "\(folder.path)/source.gguf"
            let part = try PartFile(target: path)
            let compute = try Compute(threadCount: 2)
            try Self.quantizer(source, to: "f32").write(to: part, compute: compute) { _ in }
            try part.finish()
        }

        /// A tokenizer of 96 characters, as many as the models have rows.
        private static let tokenizer = {
            let characters = (33...126).map { String(UnicodeScalar(UInt8($0))) } + ["\u{120}", "\u{10A}"]
            let entries = characters.enumerated().map { "\($1.debugDescription.replacing("\\'", with: "'")): \($0)" }
            return """
                {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
                 "model": {"type": "BPE", "vocab": {\(entries.joined(separator: ", "))}, "merges": []}}
                """
        }()

        private static func quantizer(_ path: String, to type: String) throws -> Quantizer {
            try Quantizer(
                ConversionSource(ModelFile(path: path)),
                to: #require(QuantizationType(name: type)),
                rules: [],
                record: FidelityRecord(source: "source", contentHash: "00", method: .gptq, text: nil)
            )
        }

        /// Tokens that differ from text to text.
        private static func text(_ number: Int) -> [Int32] {
            (0..<24).map { position in
                let token = position * 7 + number * 5 + position * number
                return Int32(token % 96)
            }
        }

        /// Writes the model rounded by GPTQ, and says what that lost beside rounding to nearest.
        func rounded(
            to type: String = "q4_0",
            name: String = "out.gguf",
            threads: Int = 2,
            cancelsAt: Int = .max
        ) throws -> (bytes: Data, loss: (compensated: Double, nearest: Double)) {
            let quantizer = try Self.quantizer(path, to: type)
            let options = ModelOptions(threadCount: threads, contextLength: 24, quantization: .f32)
            let gptq = try GPTQ(
                LoadedModel(path: path, options: options),
                items: quantizer.items,
                texts: (0..<8).map(Self.text)
            ) { progress in
                if progress.half >= cancelsAt { withUnsafeCurrentTask { $0?.cancel() } }
            }
            let target = "\(folder.path)/\(name)"
            let part = try PartFile(target: target)
            try quantizer.write(to: part, gptq: gptq, compute: Compute(threadCount: threads)) { _ in }
            try part.finish()
            return (try Data(contentsOf: URL(fileURLWithPath: target)), gptq.loss)
        }
    }

    /// Rows of q and k stand elsewhere in a llama folder than in its file.
    @Test(arguments: ["llama3-rope", "qwen2", "qwen3", "gemma3-linear", "phi3"], [true, false])
    func outputsChangeLessThanByTheNearestPoints(name: String, asFile: Bool) throws {
        let (_, loss) = try Source(name, asFile: asFile).rounded()
        #expect(loss.nearest > 0)
        #expect(loss.compensated < 0.9 * loss.nearest, "\(loss)")
    }

    @Test(arguments: ["q4_1", "q5_0", "q8_0", "i4_row"]) func everyTypeWithAGridIsRounded(type: String) throws {
        let source = try Source("qwen2")
        let (bytes, loss) = try source.rounded(to: type)
        #expect(loss.compensated < loss.nearest, "\(loss)")
        let file = try GGUFFile(path: "\(source.folder.path)/out.gguf")
        #expect(try file.metadata.string("apus.fidelity.method") == "gptq")
        #expect(bytes.count > 0)
    }

    @Test func threadsChangeNoByte() throws {
        let source = try Source("qwen2")
        #expect(try source.rounded(threads: 1).bytes == source.rounded(name: "again.gguf", threads: 2).bytes)
    }

    @Test(arguments: 1...3) func anInterruptedRunGoesOnAndEndsInTheSameFile(half: Int) async throws {
        let source = try Source("qwen2")
        let expected = try source.rounded().bytes
        let work = Task { try source.rounded(name: "again.gguf", cancelsAt: half) }
        let outcome = await work.result
        #expect(throws: CancellationError.self) { try outcome.get() }
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(source.folder.path)/again.gguf.part")
        #expect(try #require(attributes[.size] as? Int) > 0)
        #expect(try source.rounded(name: "again.gguf").bytes == expected)
    }

    @Test func aSourceThatWasQuantizedIsRefused() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(TinyModelFile("llama", type: .q8_0).bytes, to: "source.gguf")
        let model = try LoadedModel(path: path, options: ModelOptions(contextLength: 24, quantization: .f32))
        let error = #expect(throws: ApusError.self) { _ = try GPTQ(model, items: [], texts: [[1, 2]]) { _ in } }
        #expect(error?.code == .unsupported && error?.message.contains("--type f16") == true)
    }

    @Test func inputsThatAreNotFiniteAreRefused() throws {
        let folder = try TemporaryFolder()
        var file = TinyModelFile("llama", type: .f32)
        for (name, value) in [("token_embd.weight", 1), ("blk.0.attn_norm.weight", Float.greatestFiniteMagnitude)] {
            file.change(name) { tensor in
                let bytes = withUnsafeBytes(of: value) { Array($0) }
                tensor.bytes = tensor.bytes.indices.map { bytes[$0 % 4] }
            }
        }
        let path = try folder.write(file.bytes, to: "source.gguf")
        let model = try LoadedModel(path: path, options: ModelOptions(contextLength: 24, quantization: .f32))
        let quantizer = try Quantizer(
            ConversionSource(ModelFile(path: path)),
            to: #require(QuantizationType(name: "q4_0")),
            rules: [],
            record: FidelityRecord(source: "source", contentHash: "00", text: nil)
        )
        let gptq = try GPTQ(model, items: quantizer.items, texts: [[1, 2, 3, 4]]) { _ in }
        let part = try PartFile(target: "\(folder.path)/out.gguf")
        let error = #expect(throws: ApusError.self) {
            try quantizer.write(to: part, gptq: gptq, compute: Compute(threadCount: 1)) { _ in }
        }
        #expect(
            error?.code == .malformedFile && error?.message.contains("finite sum") == true,
            "\(error?.message ?? "")"
        )
    }
}
