import ApusCore
import ApusFormats
import Testing

@Suite struct GGUFFileTests {
    static let files = [
        "all-metadata.gguf", "all-types.gguf", "tiny.gguf", "tiny-version-2.gguf", "split-00001-of-00003.gguf",
        "odd-arrays.gguf",
    ]

    @Test(arguments: files)
    func readsWhatTheReferenceWrote(file: String) throws {
        let expected = try Fixtures.json("gguf/valid/valid.json").member(file)
        let model = try GGUFFile(path: Fixtures.path("gguf/valid/\(file)"))
        try expectTensors(model.tensors, expected.member("tensors"))
        for (key, pair) in try expected.member("metadata").members() {
            let (type, value) = try pair.elements().pair()
            try expectField(model.metadata, try key.string(), try type.string(), value)
        }
    }

    private func expectField(_ metadata: GGUFMetadata, _ key: String, _ type: String, _ value: JSONValue) throws {
        #expect(metadata.field(key)?.typeDescription == type)
        switch type {
        case "string": #expect(try metadata.string(key) == (try value.string()))
        case "bool": #expect(try metadata.bool(key) == (try value.bool()))
        case "float32", "float64": #expect(try metadata.float(key) == (try value.double()))
        case "array of string": try expectStrings(try metadata.strings(key), value)
        case "array of float32", "array of float64":
            #expect(try metadata.floats(key).map { $0 } == (try value.elements().map { Float(try $0.double()) }))
        case "array of bool":
            #expect(try metadata.bools(key).map { $0 } == (try value.elements().map { try $0.bool() }))
        case _ where type.hasPrefix("array"):
            #expect(try metadata.integers(key).map { $0 } == (try value.elements().map { try $0.integer() }))
        default: #expect(try metadata.integer(key) == (try value.integer()))
        }
    }

    /// Strings are texts in the description, or lists of bytes where they are no UTF-8.
    private func expectStrings(_ strings: GGUFStringArray, _ value: JSONValue) throws {
        let expected = try value.elements().map { element in
            element.kind == .array
                ? try element.elements().map { UInt8(try $0.integer()) } : Array(try element.string().utf8)
        }
        #expect(strings.count == expected.count)
        for (index, bytes) in zip(strings.indices, expected) {
            #expect(strings[index].text == String(validating: bytes, as: UTF8.self))
            let found = strings.withBytes(at: index) { span in
                (0..<span.byteCount).map { span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
            }
            #expect(found == bytes)
        }
    }

    @Test func version2And3AreRead() throws {
        #expect(try GGUFFile(path: Fixtures.path("gguf/valid/tiny-version-2.gguf")).version == 2)
        #expect(try GGUFFile(path: Fixtures.path("gguf/valid/tiny.gguf")).version == 3)
    }

    @Test func tensorsAreFoundByNameInAllParts() throws {
        let model = try GGUFFile(path: Fixtures.path("gguf/valid/split-00001-of-00003.gguf"))
        #expect(model.paths.count == 3)
        #expect(model.tensor(named: "blk.4.q4_k")?.type == .q4K)
        #expect(model.tensor(named: "blk.5.q4_k") == nil)
    }

    @Test func aPartOtherThanTheFirstIsRefusedWithTheRemedy() {
        let path = Fixtures.path("gguf/valid/split-00002-of-00003.gguf")
        expectRefusal(of: path, "open the file that ends in -00001-of-00003.gguf") { _ = try GGUFFile(path: path) }
    }

    @Test func theFileStaysReadableAfterItIsDeleted() throws {
        let copy = try TemporaryFile(try Fixtures.contents(Fixtures.path("gguf/valid/tiny.gguf")))
        let model = try GGUFFile(path: copy.path)
        try copy.write([])
        #expect(try model.metadata.string("general.architecture") == "llama")
        #expect(model.tensors.first.map { fnv1a($0.bytes) }?.count == 16)
    }
}

extension JSONArray {
    fileprivate func pair() throws -> (JSONValue, JSONValue) {
        let values = Array(self)
        try #require(values.count == 2)
        return (values[0], values[1])
    }
}
