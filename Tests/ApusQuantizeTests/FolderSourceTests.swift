import Apus
import ApusCore
import ApusFormats
import ApusModels
import ApusNN
import ApusQuantize
import ApusTensor
import ApusTestSupport
import ApusTokenizers
import Foundation
import Testing

/// Folders in the hub's layout written as GGUF, beside what the `gguf` package wrote of them
/// (tools/fixtures/models_gguf.py).
struct FolderSourceTests {
    private static let record = FidelityRecord(source: "folder", contentHash: "00", text: nil)
    private static let names = [
        "llama3-rope", "llama-linear", "llama-yarn", "llama-yarn-own", "qwen2", "qwen3", "gemma3-linear",
        "phi3-longrope",
    ]

    /// A copy of a model of Fixtures/models with a tokenizer.
    private struct Folder {
        let folder: TemporaryFolder
        let path: String

        init(_ name: String) throws {
            folder = try TemporaryFolder()
            path = "\(folder.path)/\(name)"
            let manager = FileManager.default
            try manager.createDirectory(atPath: path, withIntermediateDirectories: true)
            for file in ["config.json", "model.safetensors"] {
                try manager.copyItem(atPath: Fixture.path("models/\(name)/\(file)"), toPath: "\(path)/\(file)")
            }
            let tokenizer = Fixture.path("tokenizers/json/smollm.json")
            try manager.copyItem(atPath: tokenizer, toPath: "\(path)/tokenizer.json")
        }

        func written(_ type: String = "f32") throws -> GGUFFile {
            let target = "\(folder.path)/out.gguf"
            let part = try PartFile(target: target)
            try Quantizer(
                ConversionSource(ModelFile(path: path)),
                to: #require(QuantizationType(name: type)),
                rules: [],
                record: FolderSourceTests.record
            ).write(to: part, compute: Compute(threadCount: 2)) { _ in }
            try part.finish()
            return try GGUFFile(path: target)
        }

        /// The message with which the folder is refused.
        func refusal() throws -> String {
            let error = #expect(throws: ApusError.self) { _ = try written() }
            return error?.message ?? ""
        }
    }

    @Test(arguments: names) func tensorsAndSettingsAreTheReferences(name: String) throws {
        let written = try Folder(name).written()
        let reference = try GGUFFile(path: Fixture.path("models/\(name)/model.gguf"))
        #expect(Set(written.tensors.map(\.name)) == Set(reference.tensors.map(\.name)))
        for tensor in reference.tensors {
            let found = try #require(written.tensor(named: tensor.name))
            #expect(found.shape == tensor.shape && found.type == tensor.type, "\(tensor.name)")
            let (values, expected) = try (
                ElementCodec.decode(found.bytes, as: found.type), ElementCodec.decode(tensor.bytes, as: tensor.type)
            )
            if tensor.name.hasPrefix("rope") {
                #expect(zip(values, expected).allSatisfy { abs($0 - $1) <= abs($1) * 1e-6 }, "\(tensor.name)")
            } else {
                #expect(values == expected, "\(tensor.name)")
            }
        }
        #expect(try Tokenizer(written).vocabularySize == written.tensor(named: "token_embd.weight")?.shape[1])
        let architecture = try reference.metadata.string("general.architecture")
        for field in reference.metadata where field.key.hasPrefix("\(architecture).") {
            let found = try #require(written.metadata.field(field.key), "\(field.key)")
            #expect(found.type == field.type && found.valueDescription() == field.valueDescription(), "\(field.key)")
        }
    }

    /// GGUF's rows of q and k in Llama's files stand in another order, and so do the terms of their sums.
    @Test(arguments: names + ["phi3", "llama"]) func logitsAreThoseOfTheFolder(name: String) throws {
        let folder = try Folder(name)
        let (written, source) = try (ModelSource(folder.written()), ModelSource(ModelFolder(path: folder.path)))
        let tokens = (0..<24).map { Int32($0 * 7 % 90) }
        func logits(_ source: ModelSource) throws -> [[Float]] {
            let compute = try Compute(threadCount: 2)
            return try StepDriver(source.limited(toContext: tokens.count).load(compute: compute), compute: compute)
                .logits(of: tokens)
        }
        let (found, expected) = try (logits(written), logits(source))
        if source.family.architecture == "llama" {
            #expect(FloatDifference.relative(found, expected) < 2e-3)
        } else {
            #expect(found == expected)
        }
    }

    @Test func aQuantizedFolderHasTheBlocksOfAQuantizedFile() throws {
        let name = "llama3-rope"
        let written = try Folder(name).written("q8_0")
        let reference = try GGUFFile(path: Fixture.path("models/\(name)/model.gguf"))
        var count = 0
        for tensor in reference.tensors where tensor.shape.count == 2 {
            let found = try #require(written.tensor(named: tensor.name))
            guard found.type == .q8_0 else { continue }
            let expected = try ElementCodec.encode(ElementCodec.decode(tensor.bytes, as: tensor.type), as: .q8_0)
            #expect(found.bytes.withUnsafeBytes { $0.elementsEqual(expected) }, "\(tensor.name)")
            count += 1
        }
        #expect(count > 0)
    }

    @Test func whatGGUFHasNoPlaceForIsRefused() throws {
        #expect(try Folder("gemma3").refusal().contains("every sixth layer"))
        let qwen = try Folder("qwen2")
        let config = try String(contentsOfFile: "\(qwen.path)/config.json", encoding: .utf8)
        let scaled = config.replacingOccurrences(
            of: #""rope_type": "default""#,
            with: """
                "rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
                "original_max_position_embeddings": 64
                """
        )
        #expect(scaled != config)
        try scaled.write(toFile: "\(qwen.path)/config.json", atomically: true, encoding: .utf8)
        #expect(try qwen.refusal().contains("rope_type llama3: expected a model of architecture llama, found qwen2"))
    }

    @Test func tensorsThatAreNoneOfTheModelsAreRefused() throws {
        let norm = (name: "model.norm.weight", shape: [4], values: [Float](repeating: 1, count: 4))
        let embedding = (name: "model.embed_tokens.weight", shape: [2, 4], values: [Float](repeating: 1, count: 8))
        func refusal(_ tensors: [(name: String, shape: [Int], values: [Float])]) throws -> String {
            let folder = try Folder("llama")
            try folder.folder.write(SafetensorsWriter.bytes(tensors), to: "llama/model.safetensors")
            return try folder.refusal()
        }
        #expect(try refusal([norm]).contains("expected tensor model.embed_tokens.weight"))
        for name in ["model.layers.0.mlp.router.weight", "model.layers.01.mlp.up_proj.weight", "vision.weight", "x"] {
            let message = try refusal([embedding, norm, (name, [2], [1, 2])])
            #expect(message.contains("tensor \"\(name)\": expected one of a llama model"), "\(message)")
        }
        let query = "model.layers.0.self_attn.q_proj.weight"
        #expect(
            try refusal([embedding, (query, [3, 4], [Float](repeating: 1, count: 12))]).contains("whole heads of")
        )
        let spoilt = try refusal([embedding, ("model.norm.weight", [2], [1, .nan])])
        #expect(spoilt.contains("tensor output_norm.weight") && spoilt.contains("NaN"), "\(spoilt)")
    }
}
