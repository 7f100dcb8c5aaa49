import ApusCore
import ApusFormats
import ApusQuantize
import ApusTensor
import ApusTestSupport
import Foundation
import Testing

struct QuantizerTests {
    /// A model with a matrix of floats that differ, in two stretches, and a folder for what is made of it.
    private struct Source {
        let folder: TemporaryFolder
        let path: String
        let values: [Float]
        var file: GGUFFile { get throws { try GGUFFile(path: path) } }

        static let width = 256
        static let rowCount = (1 << 20) / width + 5

        init(_ change: (inout [Float]) -> Void = { _ in }) throws {
            folder = try TemporaryFolder()
            var values = (0..<Self.width * Self.rowCount).map {
                Float(($0 &* 2_654_435_761) >> 9 & 0xFFFF) / 65_536 - 0.5
            }
            change(&values)
            self.values = values
            var model = TinyModelFile("llama", type: .f32, width: Self.width)
            model["general.name"] = .string("Tiny, naïve")
            model["general.alignment"] = .uint32(32)
            model.tensors.append(
                .init(
                    name: "blk.0.extra.weight",
                    type: ElementType.f32.rawValue,
                    shape: [UInt64(Self.width), UInt64(Self.rowCount)],
                    bytes: values.withUnsafeBytes { Array($0) }
                )
            )
            path = try folder.write(model.bytes, to: "source.gguf")
        }
    }

    private static let record = FidelityRecord(source: "source.gguf", contentHash: "00", text: nil)

    private func quantizer(_ source: Source, _ type: String, _ rules: [String] = []) throws -> Quantizer {
        try Quantizer(
            ConversionSource(source.file),
            to: #require(QuantizationType(name: type)),
            rules: rules.map { try #require(TensorRule($0)) },
            record: Self.record
        )
    }

    private func written(_ source: Source, _ type: String, _ rules: [String] = []) throws -> GGUFFile {
        let target = "\(source.folder.path)/out.gguf"
        let part = try PartFile(target: target)
        try quantizer(source, type, rules).write(to: part, compute: Compute(threadCount: 2)) { _ in }
        try part.finish()
        return try GGUFFile(path: target)
    }

    @Test(arguments: ElementType.allCases) func matricesAreEncodedAndTheRestIsKept(type: ElementType) throws {
        let source = try Source()
        // Where mixes have the name, the smallest is the plain type.
        let names = ["\(type)_S", "\(type)"]
        let wanted = try #require(names.lazy.compactMap { QuantizationType(name: $0) }.first)
        let file = try written(source, wanted.name)
        let tensor = try #require(file.tensor(named: "blk.0.extra.weight"))
        #expect(tensor.type == type)
        let expected = try ElementCodec.encode(source.values, as: type, rowLength: Source.width)
        #expect(tensor.bytes.withUnsafeBytes { $0.elementsEqual(expected) })
        #expect(try file.metadata.string("general.name") == "Tiny, naïve")
        #expect(try file.metadata.strings("tokenizer.ggml.tokens").count == TinyModelFile.vocabularySize)
        #expect(try file.metadata.string("apus.fidelity.source") == "source.gguf")
        #expect(try file.metadata.integer("general.file_type") == Int(wanted.fileType))
        for before in try source.file.tensors where before.shape.count == 1 {
            let after = try #require(file.tensor(named: before.name))
            #expect(after.type == before.type)
            #expect(before.bytes.withUnsafeBytes { a in after.bytes.withUnsafeBytes { a.elementsEqual($0) } })
        }
    }

    @Test func theLastRuleThatMatchesCounts() throws {
        let source = try Source()
        let file = try written(source, "q8_0", ["blk.*=q4_0", "*extra*=q6_k"])
        #expect(file.tensor(named: "blk.0.extra.weight")?.type == .q6K)
        #expect(file.tensor(named: "output.weight")?.type == .q8_0)
    }

    @Test(arguments: [["nothing*=q4_0"], ["output_norm.weight=q4_0"]]) func rulesThatCannotHoldAreRefused(
        rules: [String]
    ) throws {
        let source = try Source()
        let error = #expect(throws: ApusError.self) { try quantizer(source, "q8_0", rules) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func anInterruptedRunGoesOnAndEndsInTheSameFile() async throws {
        let source = try Source()
        let whole = try written(source, "q4_k_m")
        let expected = try Data(contentsOf: URL(fileURLWithPath: whole.paths[0]))
        let target = "\(source.folder.path)/again.gguf"
        for limit in [0, 100_000, 1_000_000, expected.count] {
            // Cancelled as soon as so many bytes are there.
            let work = Task {
                let part = try PartFile(target: target)
                try quantizer(source, "q4_k_m").write(to: part, compute: Compute(threadCount: 1)) { count in
                    if count >= limit { withUnsafeCurrentTask { $0?.cancel() } }
                }
            }
            _ = await work.result
        }
        #expect(!FileManager.default.fileExists(atPath: target))
        var first: Int?
        let part = try PartFile(target: target)
        try quantizer(source, "q4_k_m").write(to: part, compute: Compute(threadCount: 1)) { first = first ?? $0 }
        try part.finish()
        #expect(try #require(first) > 100_000, "it went on where it stopped")
        #expect(try Data(contentsOf: URL(fileURLWithPath: target)) == expected)
    }

    @Test func aPartOfSomethingElseIsBegunAnew() throws {
        let source = try Source()
        let expected = try Data(contentsOf: URL(fileURLWithPath: written(source, "q4_0").paths[0]))
        for rest in [
            Data(repeating: 7, count: 3), Data(expected.reversed()),
            try Data(contentsOf: URL(fileURLWithPath: written(source, "q8_0").paths[0])),
        ] {
            let target = "\(source.folder.path)/anew.gguf"
            try rest.write(to: URL(fileURLWithPath: "\(target).part"))
            let part = try PartFile(target: target)
            try quantizer(source, "q4_0").write(to: part, compute: Compute(threadCount: 2)) { _ in }
            try part.finish()
            #expect(try Data(contentsOf: URL(fileURLWithPath: target)) == expected)
        }
    }

    @Test func twoCannotWriteOneFile() throws {
        let folder = try TemporaryFolder()
        let first = try PartFile(target: "\(folder.path)/out.gguf")
        let error = #expect(throws: ApusError.self) { try PartFile(target: "\(folder.path)/out.gguf") }
        #expect(error?.message.contains("another process") == true)
        withExtendedLifetime(first) {}
    }

    @Test(arguments: ["q4_0", "q6_k", "f16", "f32"]) func weightsThatAreNoFiniteNumbersAreRefused(type: String) throws {
        for wrong in [Float.nan, .infinity] {
            let source = try Source { $0[$0.count - 1] = wrong }
            let error = #expect(throws: ApusError.self) { _ = try written(source, type) }
            #expect(error?.code == .malformedFile && error?.message.contains("blk.0.extra.weight") == true)
        }
    }

    @Test func whatBinary16CannotHoldIsRefused() throws {
        let source = try Source { $0[17] = 70_000 }
        #expect(throws: ApusError.self) { _ = try written(source, "f16") }
        #expect(try written(source, "bf16").tensor(named: "blk.0.extra.weight")?.type == .bf16)
    }

    @Test func measuresAreFilledIn() throws {
        let source = try Source()
        let target = "\(source.folder.path)/out.gguf"
        let record = FidelityRecord(
            source: "source.gguf",
            contentHash: "ab",
            text: .init(name: "text", contentHash: "cd", contextLength: 512)
        )
        var quantizer = try Quantizer(
            ConversionSource(source.file),
            to: #require(QuantizationType(name: "q4_0")),
            rules: [],
            record: record
        )
        let part = try PartFile(target: target)
        try quantizer.write(to: part, compute: Compute(threadCount: 2)) { _ in }
        #expect(try GGUFFile(path: part.path).metadata.float("apus.fidelity.kl").isNaN)
        try quantizer.set([("kl", 0.25), ("perplexity", 12.5)], in: part)
        try part.finish()
        let metadata = try GGUFFile(path: target).metadata
        #expect(try metadata.float("apus.fidelity.kl") == 0.25)
        #expect(try metadata.float("apus.fidelity.perplexity") == 12.5)
        #expect(try metadata.string("apus.fidelity.text_sha256") == "cd")
    }

    /// A file with importance of all matrices of the layer; `change` spoils it.
    private func importance(
        _ source: Source,
        _ change: (inout [String: [Float]]) -> Void = { _ in }
    ) throws -> ImportanceMatrix {
        var sums: [String: [Float]] = [:]
        for tensor in try source.file.tensors where tensor.shape.count == 2 && tensor.name.hasPrefix("blk.") {
            sums[tensor.name] = (0..<tensor.shape[0]).map { Float($0 % 16 == 3 ? 400 : 1) }
        }
        change(&sums)
        let bytes = try ImportanceMatrix.file(sums: sums, rowCount: 1, dataset: "", chunkCount: 1, chunkLength: 1)
        return try ImportanceMatrix(path: source.folder.write(bytes, to: "imatrix.gguf"))
    }

    @Test(arguments: ["q4_k_s", "q3_k_s", "iq4_nl", "q8_0", "f16"]) func importanceWeighsTheErrors(name: String) throws
    {
        let source = try Source()
        let type = try #require(QuantizationType(name: name))
        let importance = try importance(source)
        let target = "\(source.folder.path)/weighted.gguf"
        let part = try PartFile(target: target)
        try Quantizer(ConversionSource(source.file), to: type, rules: [], importance: importance, record: Self.record)
            .write(to: part, compute: Compute(threadCount: 2)) { _ in }
        try part.finish()
        let weighted = try #require(GGUFFile(path: target).tensor(named: "blk.0.extra.weight"))
        let plain = try #require(written(source, name).tensor(named: "blk.0.extra.weight"))
        func errors(_ tensor: TensorInfo) throws -> (counting: Double, rest: Double) {
            var errors = (0.0, 0.0)
            for (index, value) in try ElementCodec.decode(tensor.bytes, as: tensor.type).enumerated() {
                let difference = Double(value) - Double(source.values[index])
                if index % 16 == 3 { errors.0 += difference * difference } else { errors.1 += difference * difference }
            }
            return errors
        }
        let (found, expected) = (try errors(weighted), try errors(plain))
        if type.base == .q8_0 || type.base == .f16 {
            #expect(found == expected)
        } else {
            #expect(
                found.counting < 0.7 * expected.counting && found.rest > expected.rest,
                "\(name): \(found) \(expected)"
            )
        }
    }

    @Test func importanceOfAnotherModelIsRefused() throws {
        let source = try Source()
        func message(_ change: (inout [String: [Float]]) -> Void) throws -> String {
            let importance = try importance(source, change)
            let error = #expect(throws: ApusError.self) {
                let type = try #require(QuantizationType(name: "q4_k_m"))
                _ = try Quantizer(
                    ConversionSource(source.file),
                    to: type,
                    rules: [],
                    importance: importance,
                    record: Self.record
                )
            }
            return error?.message ?? ""
        }
        let name = "blk.0.ffn_down.weight"
        #expect(try message { $0[name] = nil }.contains("256 columns of tensor \"\(name)\", found none"))
        #expect(try message { $0[name] = [1, 2] }.contains("found 2"))
        #expect(try message { $0["blk.1.ffn_down.weight"] = [1] }.contains("\"blk.1.ffn_down.weight\""))
        #expect(try message { $0["token_embd.weight"] = [1] }.contains("\"token_embd.weight\", found 1"))
    }

    @Test func theRecordSaysWhatWeighedTheErrors() throws {
        var source = TinyModelFile("llama", type: .f32, width: 256)
        source["quantize.imatrix.file"] = .string("of the source")
        let folder = try TemporaryFolder()
        let record = FidelityRecord(
            source: "source.gguf",
            contentHash: "ab",
            calibration: .init(name: "imatrix.gguf", contentHash: "ef"),
            text: nil
        )
        let type = try #require(QuantizationType(name: "q4_0"))
        let part = try PartFile(target: "\(folder.path)/out.gguf")
        let file = try GGUFFile(path: folder.write(source.bytes, to: "in.gguf"))
        try Quantizer(ConversionSource(file), to: type, rules: [], record: record)
            .write(to: part, compute: Compute(threadCount: 1)) { _ in }
        let metadata = try GGUFFile(path: part.path).metadata
        #expect(try metadata.string("apus.fidelity.calibration") == "imatrix.gguf")
        #expect(try metadata.string("apus.fidelity.calibration_sha256") == "ef")
        #expect(metadata.field("quantize.imatrix.file") == nil)
    }
}
