import ApusCore
import ApusFormats
import Testing

@Suite struct GGUFMetadataTests {
    private let metadata: GGUFMetadata

    init() throws {
        metadata = try GGUFFile(path: Fixtures.path("gguf/valid/all-metadata.gguf")).metadata
    }

    @Test func aMissingKeyIsNamed() {
        let error = #expect(throws: ApusError.self) { try metadata.integer("none") }
        #expect(error?.code == .notFound)
        #expect(error?.message.hasSuffix("all-metadata.gguf: metadata \"none\" is missing") == true)
    }

    @Test func aMissingKeyIsNilWhereThatIsAllowed() throws {
        #expect(try metadata.stringIfPresent("none") == nil)
        #expect(try metadata.integerIfPresent("none") == nil)
        #expect(try metadata.floatIfPresent("none") == nil)
        #expect(try metadata.boolIfPresent("none") == nil)
        #expect(try metadata.stringsIfPresent("none") == nil)
        #expect(try metadata.floatsIfPresent("none") == nil)
        #expect(try metadata.integersIfPresent("none") == nil)
    }

    @Test func aWrongTypeNamesKeyExpectedAndFound() {
        expect("metadata \"scalar.uint8\": expected string, found uint8") { _ = try metadata.string("scalar.uint8") }
        expect("metadata \"scalar.float32\": expected integer, found float32") {
            _ = try metadata.integerIfPresent("scalar.float32")
        }
        expect("metadata \"scalar.bool\": expected float, found bool") { _ = try metadata.float("scalar.bool") }
        expect("metadata \"scalar.int8\": expected bool, found int8") { _ = try metadata.bool("scalar.int8") }
        expect("metadata \"scalar.string\": expected array of string, found string") {
            _ = try metadata.strings("scalar.string")
        }
        expect("metadata \"array.string\": expected array of integer, found array of string") {
            _ = try metadata.integers("array.string")
        }
        expect("metadata \"array.int8\": expected array of float, found array of int8") {
            _ = try metadata.floats("array.int8")
        }
    }

    @Test func textThatIsNotUTF8IsRefusedWhereTextIsWanted() throws {
        let odd = try GGUFFile(path: Fixtures.path("gguf/valid/odd-arrays.gguf")).metadata
        expect("metadata \"text\": expected valid UTF-8, found 1 bytes that are not") { _ = try odd.string("text") }
        #expect(odd.field("text")?.valueDescription() == "\u{FFFD}")
    }

    @Test func fieldsComeInFileOrder() {
        #expect(metadata.prefix(3).map(\.key) == ["general.architecture", "scalar.uint8", "array.uint8"])
    }

    @Test func listingsShowTheFirstElementsOfAnArray() {
        #expect(metadata.field("array.uint8")?.valueDescription() == "[255, 255, 255]")
        #expect(metadata.field("array.int8")?.valueDescription(limit: 1) == "[-128, … (3)]")
        #expect(metadata.field("array.bytes")?.valueDescription(limit: 2) == "[\"\", \"a\", … (5)]")
        #expect(metadata.field("scalar.bool")?.valueDescription() == "true")
        #expect(metadata.field("scalar.float32")?.valueDescription() == "0.15625")
    }

    private func expect(_ part: String, _ body: () throws -> Void) {
        let error = #expect(throws: ApusError.self) { try body() }
        #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
    }
}
