import ApusCore
import ApusFormats
import ApusTestSupport
import Testing

/// Files of other makers: tools/fixtures/importance.py.
struct ImportanceMatrixTests {
    private static func expected() throws -> [String: [Double]] {
        var means: [String: [Double]] = [:]
        let object = try JSONValue(parsing: MappedFile(path: Fixture.path("importance/means.json")).bytes)
        for name in ["blk.0.attn_q.weight", "blk.0.ffn_down.weight", "blk.0.experts.weight"] {
            means[name] = try object.member(name).elements().map { try $0.double() }
        }
        return means
    }

    @Test(arguments: ["current.gguf", "legacy.dat"]) func bothFormatsOfLlamaCppAreRead(file: String) throws {
        let matrix = try ImportanceMatrix(path: Fixture.path("importance/\(file)"))
        let expected = try Self.expected()
        #expect(matrix.names == expected.keys.sorted())
        #expect(matrix.chunkCount == 20 && matrix.datasets.last == "second.txt")
        for (name, means) in expected {
            let found = try #require(matrix.weights(of: name))
            let mean = means.reduce(0, +) / Double(means.count)
            #expect(found.count == means.count)
            for (weight, value) in zip(found, means) {
                #expect(abs(Double(weight) - max(value / mean, 1e-6)) <= 1e-6 * Double(weight), "\(name)")
            }
        }
        #expect(matrix.weights(of: "blk.1.attn_q.weight") == nil)
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        let sums: [String: [Float]] = ["b": [1, 2, 3], "a": [0, 0], "c": [5]]
        let bytes = try ImportanceMatrix.file(
            sums: sums,
            rowCount: 4,
            dataset: "naïve.txt",
            chunkCount: 7,
            chunkLength: 8
        )
        let folder = try TemporaryFolder()
        let matrix = try ImportanceMatrix(path: folder.write(bytes, to: "matrix"))
        #expect(matrix.names == ["a", "b", "c"] && matrix.datasets == ["naïve.txt"] && matrix.chunkCount == 7)
        #expect(matrix.weights(of: "b") == [0.5, 1, 1.5])
        #expect(matrix.weights(of: "a") == [1, 1], "nothing was ever read: all count the same")
        #expect(matrix.weights(of: "c") == [1])
        let file = try GGUFFile(path: "\(folder.path)/matrix")
        #expect(try file.metadata.integer("imatrix.chunk_size") == 8)
        #expect(file.tensors.map(\.name) == ["a", "b", "c"].flatMap { ["\($0).in_sum2", "\($0).counts"] })
        #expect(file.tensor(named: "b.in_sum2")?.shape == [3, 1] && file.tensor(named: "b.counts")?.shape == [1, 1])
    }

    private struct Current {
        var fields: [(key: String, value: TinyModelFile.Value)] = [("general.type", .string("imatrix"))]
        var tensors: [TinyModelFile.Tensor] = [tensor("a.in_sum2", [1, 2]), tensor("a.counts", [3])]

        static func tensor(_ name: String, _ values: [Float], type: ElementType = .f32) -> TinyModelFile.Tensor {
            let bytes = values.withUnsafeBytes { Array($0) }
            return .init(name: name, type: type.rawValue, shape: [UInt64(values.count)], bytes: bytes)
        }
    }

    private func message(of bytes: [UInt8]) throws -> String {
        let folder = try TemporaryFolder()
        let path = try folder.write(bytes, to: "wrong.imatrix")
        let error = #expect(throws: ApusError.self) { _ = try ImportanceMatrix(path: path) }
        #expect(error?.code == .malformedFile && error?.message.contains(path) == true, "\(String(describing: error))")
        return error?.message ?? ""
    }

    private func message(_ change: (inout Current) -> Void) throws -> String {
        var current = Current()
        change(&current)
        var file = TinyModelFile("llama")
        (file.fields, file.tensors) = (current.fields, current.tensors)
        return try message(of: file.bytes)
    }

    @Test func wrongFilesOfTheCurrentFormAreRefused() throws {
        #expect(try message { $0.fields = [] }.contains("general.type"))
        #expect(try message { $0.fields = [("general.type", .string("model"))] }.contains("\"model\""))
        #expect(try message { $0.fields = [("general.type", .uint32(1))] }.contains("general.type"))
        #expect(try message { $0.tensors = [] }.contains("found none"))
        #expect(try message { $0.tensors.removeLast() }.contains("\"a.counts\""))
        #expect(try message { $0.tensors.removeFirst() }.contains("\"a.in_sum2\""))
        #expect(try message { $0.tensors[1] = Current.tensor("a.counts", [1, 1, 1]) }.contains("multiple of 3"))
        #expect(try message { $0.tensors[1] = Current.tensor("a.counts", [.nan]) }.contains("found nan"))
        #expect(try message { $0.tensors[1] = Current.tensor("a.counts", [-1]) }.contains("found -1"))
        for wrong in [Float.nan, .infinity, -0.5] {
            #expect(try message { $0.tensors[0] = Current.tensor("a.in_sum2", [1, wrong]) }.contains("found \(wrong)"))
        }
        #expect(
            try message {
                $0.tensors[1] = .init(name: "a.counts", type: ElementType.f16.rawValue, shape: [1], bytes: [0, 60])
            }.contains("F16")
        )
    }

    private static func bytes(_ parts: [Any]) -> [UInt8] {
        parts.flatMap { part -> [UInt8] in
            switch part {
            case let number as Int32: withUnsafeBytes(of: number.littleEndian) { Array($0) }
            case let number as Float: withUnsafeBytes(of: number.bitPattern.littleEndian) { Array($0) }
            case let text as String: Array(text.utf8)
            default: []
            }
        }
    }

    @Test func wrongFilesOfTheOlderFormAreRefused() throws {
        let entry: [Any] = [Int32(1), "a", Int32(2), Int32(1), Float(4)]
        let good = Self.bytes([Int32(1)] + entry + [Int32(9), Int32(1), "t"])
        let folder = try TemporaryFolder()
        for length in 0...good.count {
            // Whole after the entries, after the chunks and after the name; cut off anywhere else.
            if [21, 25, good.count].contains(length) {
                let path = try folder.write(Array(good.prefix(length)), to: "good\(length)")
                #expect(try ImportanceMatrix(path: path).weights(of: "a") == [1])
            } else {
                _ = try message(of: Array(good.prefix(length)))
            }
        }
        #expect(try message(of: good + [0]).contains("found 1 bytes"))
        #expect(try message(of: Self.bytes([Int32(2)] + entry + entry)).contains("\"a\""))
        for count in [Int32.min, -1, 0, 2, .max] { _ = try message(of: Self.bytes([count] + entry)) }
        for length in [Int32.min, -1, 0, 2000, .max] {
            _ = try message(of: Self.bytes([Int32(1), length, String(repeating: "n", count: 40)]))
        }
        for count in [Int32.min, -1, 0, 2, .max] {
            _ = try message(of: Self.bytes([Int32(1), Int32(1), "a", Int32(2), count, Float(4)]))
        }
        for wrong in [Float.nan, .infinity, -1] {
            #expect(
                try message(of: Self.bytes([Int32(1), Int32(1), "a", Int32(2), Int32(1), wrong])).contains(
                    "found \(wrong)"
                )
            )
        }
    }
}
