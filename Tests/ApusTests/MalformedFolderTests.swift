import Apus
import ApusCore
import ApusFormats
import ApusTestSupport
import Foundation
import Testing

/// Folders in the hub's layout, made of the tiny models of other implementations with one thing wrong.
@Suite struct MalformedFolderTests {
    static let families = ["llama", "qwen2", "qwen3", "gemma3", "phi3", "llama-yarn", "llama3-rope", "phi3-longrope"]

    @Test(arguments: families) func theUnspoiledFolderRuns(family: String) async throws {
        let outcome = try await Self.outcome(family) { _ in }
        #expect(outcome.error == nil && outcome.isRun, "\(outcome)")
    }

    @Test(arguments: families) func everySettingThatIsWrongIsRunOrRefused(family: String) async throws {
        let wrong = [
            "null", "true", "-1", "0", "1", "3", "1e999", "0.5", "9223372036854775807", "9223372036854775808", "\"x\"",
            "[]",
            "{}", "[1]", "{\"a\":1}",
        ]
        let config = try JSONValue(parsing: MappedFile(path: Fixture.path("models/\(family)/config.json")).bytes)
        for member in try config.members() {
            let key = try member.key.string()
            for value in wrong {
                let outcome = try await Self.outcome(family) { $0.config = try Self.replacing(config, key, by: value) }
                #expect(outcome.error == nil || outcome.isOneLine, "\(key) \(value): \(outcome)")
            }
        }
    }

    @Test func anythingButAnObjectIsNoConfiguration() async throws {
        for text in ["", "[]", "1", "\"x\"", "{", "{}", "{\"model_type\":1}", "{\"model_type\":\"no\\nbody\"}"] {
            let outcome = try await Self.outcome("llama") { $0.config = text }
            #expect(
                outcome.isOneLine && outcome.error?.description.contains("config.json") == true,
                "\(text): \(outcome)"
            )
        }
        let deep = String(repeating: "[", count: 100_000)
        #expect(try await Self.outcome("llama") { $0.config = "{\"model_type\":\(deep)" }.isOneLine)
    }

    @Test func aTokenizerFileThatLiesIsRefusedInOneLine() async throws {
        let sequence = "{\"type\":\"Sequence\",\"pretokenizers\":["
        let deepSequence = String(repeating: sequence, count: 60) + String(repeating: "]}", count: 60)
        let byteLevel = "\"pre_tokenizer\":{\"type\":\"ByteLevel\"}"
        for text in [
            "", "{}", "[]", "{\"model\":[]}", "{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}",
            "{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}",
            "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}",
            "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":9223372036854775807},\"merges\":[]}}",
            "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0.5},\"merges\":[]}}",
            "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}",
            "{\(byteLevel),\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}}",
            "{\(byteLevel),\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}}",
            "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},\"pre_tokenizer\":\(deepSequence)}",
            "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},\"added_tokens\":[{\"id\":-5,\"content\":\"x\"}]}",
            "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},\"added_tokens\":[{\"id\":0,\"content\":\"x\"}]}",
        ] {
            let outcome = try await Self.outcome("llama") { $0.tokenizer = text }
            #expect(outcome.isOneLine, "\(text): \(outcome)")
            #expect(outcome.error?.description.contains("tokenizer.json") == true, "\(text): \(outcome)")
        }
    }

    @Test(arguments: families) func everyMissingOrMisshapenTensorIsNamed(family: String) async throws {
        let model = try SafetensorsModel(path: Fixture.path("models/\(family)/model.safetensors"))
        for tensor in model.tensors {
            for (other, isNeeded) in [("renamed", true), (tensor.name, false)] {
                let outcome = try await Self.outcome(family) { folder in
                    folder.changeHeader { header in
                        guard !isNeeded else { return header.replacing("\"\(tensor.name)\"", with: "\"\(other)\"") }
                        // The same elements in one dimension more.
                        guard let start = header.range(of: "\"\(tensor.name)\"")?.upperBound,
                            let shape = header[start...].range(of: "\"shape\":[")
                        else { return header }
                        return header.replacingCharacters(in: shape, with: "\"shape\":[1,")
                    }
                }
                let message = outcome.error?.description ?? ""
                // A model without an output matrix shares the embedding's.
                if isNeeded, tensor.name == "lm_head.weight" || tensor.name.hasSuffix(".bias") { continue }
                #expect(outcome.isOneLine && message.contains(tensor.name), "\(tensor.name): \(outcome)")
            }
        }
    }

    @Test func shardsThatLieAreRefused() async throws {
        let wrong = [
            "{\"weight_map\":{\"a\":\"../model.safetensors\"}}", "{\"weight_map\":{\"a\":\"/etc/passwd\"}}",
            "{\"weight_map\":{\"a\":\"model.safetensors.index.json\"}}", "{\"weight_map\":{\"a\":\"..\"}}",
            "{\"weight_map\":{\"a\":\"x\\u0000.safetensors\"}}", "{\"weight_map\":{\"a\":1}}", "{\"weight_map\":[]}",
            "{\"weight_map\":{\"a\":\"part.safetensors\"}}", "{\"weight_map\":{}}", "{}",
        ]
        for text in wrong {
            let outcome = try await Self.outcome("llama") { folder in
                folder.index = text
                folder.tensorFile = "part.safetensors"
            }
            #expect(outcome.isOneLine, "\(text): \(outcome)")
        }
    }

    /// The text of an object with one member's value exchanged.
    private static func replacing(_ object: JSONValue, _ key: String, by text: String) throws -> String {
        let members = try object.members().map { member in
            var writer = JSONWriter(.compact)
            writer.value(member.value)
            let name = try member.key.string()
            return "\"\(name)\":\(name == key ? text : writer.text)"
        }
        return "{\(members.joined(separator: ","))}"
    }

    /// A tiny model's folder, to be changed before it is written.
    struct Folder {
        var config: String
        var tokenizer = MalformedFolderTests.tokenizer
        var tensors: [UInt8]
        var tensorFile = "model.safetensors"
        var index: String?

        /// Changes the header's text and its length before it.
        mutating func changeHeader(_ body: (String) -> String) {
            let length = tensors[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
            let header = Array(body(String(decoding: tensors[8..<8 + length], as: UTF8.self)).utf8)
            let count = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
            tensors = count + header + tensors[(8 + length)...]
        }
    }

    private static let tokenizer = """
        {"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},"decoder":{"type":"ByteLevel"},
        "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}
        """

    struct Outcome: CustomStringConvertible {
        var isRun = false
        var error: ApusError?
        var isOneLine: Bool { error.map { !$0.description.contains("\n") } ?? false }
        var description: String { error?.description ?? "no error" }
    }

    private static func outcome(_ family: String, _ change: (inout Folder) throws -> Void) async throws -> Outcome {
        let path = Fixture.path("models/\(family)")
        func contents(_ name: String) throws -> [UInt8] {
            try MappedFile(path: "\(path)/\(name)").withUnsafeBytes { Array($0) }
        }
        var folder = Folder(
            config: String(decoding: try contents("config.json"), as: UTF8.self),
            tensors: try contents("model.safetensors")
        )
        try change(&folder)
        let written = try TemporaryFolder()
        try written.write(Array(folder.config.utf8), to: "config.json")
        try written.write(Array(folder.tokenizer.utf8), to: "tokenizer.json")
        try written.write(folder.tensors, to: folder.tensorFile)
        if let index = folder.index { try written.write(Array(index.utf8), to: "model.safetensors.index.json") }
        var outcome = Outcome()
        do {
            let model = try await Model.load(written.path, options: ModelOptions(threadCount: 1, memoryLimit: 1 << 30))
            let options = GenerationOptions(sampling: .greedy, maximumTokenCount: 2)
            for try await _ in try model.generate("ab", options: options) { outcome.isRun = true }
        } catch let error as ApusError {
            outcome.error = error
        }
        return outcome
    }
}
