import ApusTestSupport
import Foundation
import Testing

/// What a user sees of broken models: one line, exit code 1, and no memory to speak of.
@Suite(.serialized) struct MalformedModelProgramTests {
    /// The most a broken model may take beyond what `apus info` does, mapped pages aside.
    private static let allowance = 64 << 20
    private static let info = Result { try MeasuredProgram.run(["info"]) }

    /// A way to break a model, and a part of the line it is refused with.
    struct Breakage: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let message: String
        let bytes: @Sendable () -> [UInt8]

        init(_ name: String, _ message: String, _ change: @escaping @Sendable (inout TinyModelFile) -> Void) {
            self.init(name, message) {
                var file = TinyModelFile("llama")
                change(&file)
                return file.bytes
            }
        }

        init(_ name: String, _ message: String, bytes: @escaping @Sendable () -> [UInt8]) {
            testDescription = name
            self.message = message
            self.bytes = bytes
        }
    }

    static let breakages = [
        Breakage("magic", "magic") { [0x47, 0x47, 0x55, 0x4C] + TinyModelFile("llama").bytes.dropFirst(4) },
        Breakage("version", "version") {
            var bytes = TinyModelFile("llama").bytes
            bytes[4] = 9
            return bytes
        },
        Breakage("cut", "truncated") { Array(TinyModelFile("llama").bytes.prefix(1500)) },
        Breakage("data cut", "offset") { TinyModelFile("llama").bytes.dropLast(100) },
        Breakage("type", "type") { $0.change("output.weight") { $0.type = 77 } },
        Breakage("overflow", "shape") { $0.change("output.weight") { $0.shape = [32, 1 << 61] } },
        Breakage("zero extent", "dimension 1") { $0.change("output.weight") { $0.shape = [32, 0] } },
        Breakage("duplicate key", "again") { $0.fields.append($0.fields[0]) },
        Breakage("duplicate tensor", "again") { $0.tensors.append($0.tensors[0]) },
        Breakage("nested arrays", "nested") { file in
            let level: [UInt8] = [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
            file["x"] = .raw(type: 9, (0..<100).flatMap { _ in level })
        },
        Breakage("missing tensor", "blk.0.ffn_down.weight is missing") { file in
            file.tensors.removeAll { $0.name == "blk.0.ffn_down.weight" }
        },
        Breakage("wrong shape", "expected shape 32 x 16") { file in
            file.change("blk.0.attn_k.weight") { tensor in
                tensor.shape[1] = 15
                tensor.bytes.removeLast(34)
            }
        },
        Breakage("layers", "blk.1.attn_norm.weight is missing") { $0["llama.block_count"] = .uint32(1024) },
        Breakage("huge widths", "expected") { file in
            file["llama.feed_forward_length"] = .uint32(1_048_576)
            file["llama.embedding_length"] = .uint32(65_536)
        },
        Breakage("scale", "row 0: expected finite scales") { $0.change("output.weight") { $0.bytes[1] = 0x7F } },
        Breakage("claimed tokens", "count") { file in
            file["tokenizer.ggml.tokens"] = .raw(type: 9, [8, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0])
        },
        Breakage("token id", "bos_token_id") { $0["tokenizer.ggml.bos_token_id"] = .uint32(4_000_000_000) },
        Breakage("scores", "scores") { file in
            file = file.withSentencePieces()
            file["tokenizer.ggml.scores"] = .floats([1])
        },
        Breakage("template", "template") { $0["tokenizer.chat_template"] = .string("{% if %}") },
        Breakage("endless template", "template") { file in
            let loop = "{% for i in range(100000) %}"
            file["tokenizer.chat_template"] = .string(loop + loop + "{{ i }}{% endfor %}{% endfor %}")
        },
        Breakage("growing template", "template") { file in
            let double = "{% set n.t = n.t ~ n.t %}"
            let doubling = "{% for i in range(60) %}" + double + "{% endfor %}"
            file["tokenizer.chat_template"] = .string("{% set n = namespace(t='abc') %}" + doubling + "{{ n.t }}")
        },
        Breakage("many tokens", "the model only 40") { file in
            file["tokenizer.ggml.tokens"] = .strings((0..<524_288).map { Array("t\($0)".utf8) })
            file["tokenizer.ggml.token_type"] = nil
            file["tokenizer.ggml.merges"] = .strings([])
        },
        Breakage("too many tokens", "expected 1 to 524288 tokens") { file in
            file["tokenizer.ggml.tokens"] = .strings(Array(repeating: [], count: 4_000_000))
        },
        Breakage("many markers", "tokens that are no text: expected at most 65536") { file in
            let tokens = (0..<500_000).map { Array("<marker number \($0)>".utf8) }
            file["tokenizer.ggml.tokens"] = .strings(tokens)
            file["tokenizer.ggml.token_type"] = .integers(Array(repeating: 3, count: tokens.count))
        },
        Breakage("long markers", "the model only 40") { file in
            let tokens = (0..<20).map { [UInt8](repeating: UInt8(97 + $0), count: 26_000) }
            file["tokenizer.ggml.tokens"] = .strings(tokens + (0..<100).map { Array("t\($0)".utf8) })
            file["tokenizer.ggml.token_type"] = .integers(
                Array(repeating: 3, count: 20) + Array(repeating: 1, count: 100)
            )
            file["tokenizer.ggml.merges"] = .strings([])
        },
        Breakage("much text", "bytes: expected at most 16777216") { file in
            let tokens = (0..<300).map { [UInt8](repeating: UInt8($0 % 256), count: 65_000 + $0) }
            file["tokenizer.ggml.tokens"] = .strings(tokens)
        },
        Breakage("many merges", "merges") { file in
            file["tokenizer.ggml.merges"] = .strings(Array(repeating: Array("zz z".utf8), count: 1_048_576))
        },
        Breakage("many fields", "general.architecture") { file in
            file.fields = (0..<60_000).map { ("key number \($0)", .uint32(1)) }
        },
    ]

    @Test(arguments: breakages) func aBrokenModelIsOneLineAndTakesNoMemory(breakage: Breakage) throws {
        let folder = try TemporaryFolder()
        let bytes = breakage.bytes()
        try folder.write(bytes, to: "broken.gguf")
        try expectRefusal("\(folder.path)/broken.gguf", byteCount: bytes.count, naming: breakage.message)
    }

    @Test func aFileOfAGigabyteOfNothingTakesNoMemory() throws {
        let folder = try TemporaryFolder()
        var file = TinyModelFile("llama")
        file.tensors = []
        // The last field claims what the rest of the file could hold: 128 million empty strings.
        file["tokenizer.ggml.tokens"] = nil
        file["tokenizer.ggml.tokens"] = .raw(type: 9, [8, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0])
        try folder.write(file.bytes, to: "sparse.gguf")
        let path = "\(folder.path)/sparse.gguf"
        try #require(truncate(path, 2 << 30) == 0)
        try expectRefusal(path, byteCount: 2 << 30, naming: "tokenizer.ggml.tokens\" count: expected at most")
    }

    @Test(arguments: ["missing", "no number"])
    func aRealModelWithOneBrokenTensorTakesNoMemory(breakage: String) throws {
        guard let model = Program.model else { return }
        let folder = try TemporaryFolder()
        var bytes = [UInt8](try Data(contentsOf: URL(filePath: model)))
        if breakage == "missing" {
            let name = try #require(Data(bytes).range(of: Data("blk.29.ffn_down.weight".utf8)))
            bytes[name.lowerBound] = UInt8(ascii: "B")
        } else {
            // The last tensor's last block: Q4_1 scale and minimum.
            for offset in 1...40 { bytes[bytes.count - offset] = 0xFF }
        }
        try folder.write(bytes, to: "broken.gguf")
        try expectRefusal(
            "\(folder.path)/broken.gguf",
            byteCount: bytes.count,
            naming: breakage == "missing" ? "tensor blk.29.ffn_down.weight is missing" : "expected finite"
        )
    }

    private func expectRefusal(_ path: String, byteCount: Int, naming message: String) throws {
        let info = try Self.info.get()
        let outcome = try MeasuredProgram.run(["run", path, "abc", "--memory", "1GB"])
        #expect(outcome.exitCode == 1, "\(outcome.errors)")
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome.errors)")
        #expect(outcome.errors.contains(message), "\(outcome.errors)")
        #expect(message == "template" || outcome.errors.contains(path), "\(outcome.errors)")
        let sampled = outcome.peakAnonymous - info.peakAnonymous
        // Pages of the file are the only mapped ones that `info` does not have.
        let bound = outcome.peakResident - info.peakResident - byteCount
        #expect(max(sampled, bound) <= Self.allowance, "\(sampled) bytes seen, \(bound) at most")
    }
}
