import ApusCore
import ApusFormats
import Testing

@Suite struct MalformedFileTests {
    @Test(arguments: Fixtures.malformed("gguf"))
    func malformedGGUFIsRefusedInOneLine(file: String, message: String) {
        let path = Fixtures.path(file)
        expectRefusal(of: path, message) { _ = try GGUFFile(path: path) }
    }

    @Test(arguments: Fixtures.malformed("safetensors"))
    func malformedSafetensorsAreRefusedInOneLine(file: String, message: String) {
        let path = Fixtures.path(file)
        expectRefusal(of: path, message) {
            if file.hasSuffix(".json") {
                _ = try SafetensorsModel(indexPath: path)
            } else {
                _ = try SafetensorsModel(path: path)
            }
        }
    }

    @Test func theCorpusIsThere() {
        #expect(Fixtures.malformed("gguf").count >= 60)
        #expect(Fixtures.malformed("safetensors").count >= 40)
    }

    @Test(arguments: ["gguf/valid/tiny.gguf", "gguf/valid/tiny-version-2.gguf", "safetensors/valid/single.safetensors"])
    func truncationAtEveryByteIsRefused(file: String) throws {
        let whole = try Fixtures.contents(Fixtures.path(file))
        let copy = try TemporaryFile()
        for length in whole.indices {
            try copy.write(Array(whole.prefix(length)))
            let error = #expect(throws: ApusError.self, "\(length) bytes") { try open(copy.path, as: file) }
            #expect(error?.message.hasPrefix(copy.path) == true)
            #expect(error?.message.contains("\n") == false)
        }
        try copy.write(whole)
        try open(copy.path, as: file)
    }

    @Test(arguments: [
        "gguf/valid/tiny.gguf", "gguf/valid/odd-arrays.gguf", "gguf/valid/all-metadata.gguf",
        "safetensors/valid/single.safetensors",
    ])
    func aFlippedBitAnywhereIsReadOrRefused(file: String) throws {
        let whole = try Fixtures.contents(Fixtures.path(file))
        let copy = try TemporaryFile()
        for bit in 0..<min(whole.count, 1024) * 8 {
            var changed = whole
            changed[bit / 8] ^= 1 << (bit % 8)
            try copy.write(changed)
            do { try open(copy.path, as: file) } catch let error as ApusError { #expect(!error.message.contains("\n")) }
        }
    }

    @Test func countsAboveTheLimitsAreRefused() throws {
        // What files of this size could hold, and no real one does.
        let fields = header(tensors: 0, fields: 65_537) + [UInt8](repeating: 0, count: 65_537 * 14)
        let tensors = header(tensors: 65_537, fields: 0) + [UInt8](repeating: 0, count: 65_537 * 33)
        let key = header(tensors: 0, fields: 1) + littleEndian(65_536) + [UInt8](repeating: 0x61, count: 65_544)
        for (bytes, message) in [
            (fields, "metadata count: expected at most 65536, found 65537"),
            (tensors, "tensor count: expected at most 65536, found 65537"),
            (key, "metadata key 0 length: expected 1 to 65535, found 65536"),
        ] {
            let file = try TemporaryFile(bytes)
            let error = #expect(throws: ApusError.self) { try GGUFFile(path: file.path) }
            #expect(error?.message.contains(message) == true)
        }
    }

    private func header(tensors: UInt64, fields: UInt64) -> [UInt8] {
        Array("GGUF".utf8) + [3, 0, 0, 0] + littleEndian(tensors) + littleEndian(fields)
    }

    private func littleEndian(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    /// Opens a file and looks at everything in it.
    private func open(_ path: String, as file: String) throws {
        guard file.hasSuffix(".gguf") else {
            for tensor in try SafetensorsModel(path: path).tensors { _ = (tensor.elementCount, fnv1a(tensor.bytes)) }
            return
        }
        let model = try GGUFFile(path: path)
        for field in model.metadata {
            _ = (field.typeDescription, field.valueDescription(limit: 8))
            _ = try? model.metadata.strings(field.key).map(\.text)
            _ = try? model.metadata.integers(field.key).reduce(0, &+)
            _ = try? model.metadata.floats(field.key).reduce(0, +)
        }
        for tensor in model.tensors { _ = (tensor.elementCount, tensor.bytes.withSpan { $0.byteCount }) }
    }
}
