import ApusCore
import ApusFormats
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The files that tools/fixtures/formats.py writes with other implementations.
enum Fixtures {
    /// The path of a file under Fixtures/.
    static func path(_ name: String, source: String = #filePath) -> String {
        let root = source.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        return "\(root)/Fixtures/\(name)"
    }

    static func json(_ name: String) throws -> JSONValue {
        try JSONValue(parsing: try MappedFile(path: path(name)).bytes)
    }

    /// Malformed files and a part of the message that each is refused with.
    static func malformed(_ folder: String) -> [(file: String, message: String)] {
        let members = try? json("\(folder)/malformed/malformed.json").members().map {
            (file: "\(folder)/malformed/\(try $0.key.string())", message: try $0.value.string())
        }
        return members ?? []
    }

    static func contents(_ path: String) throws -> [UInt8] {
        try MappedFile(path: path).bytes.withSpan { span in
            (0..<span.byteCount).map { span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
        }
    }
}

/// A file with given bytes that lives as long as the test needs it.
final class TemporaryFile {
    let path: String

    init(_ bytes: [UInt8] = []) throws {
        var template = Array("/tmp/apus-formats-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        try #require(descriptor >= 0)
        close(descriptor)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try write(bytes)
    }

    deinit { unlink(path) }

    /// Replaces the content; files that are still mapped keep the old one.
    func write(_ bytes: [UInt8]) throws {
        unlink(path)
        let file = try #require(fopen(path, "w"))
        defer { fclose(file) }
        try #require(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    }
}

/// Expects one line that names the file and holds `part`.
func expectRefusal(of path: String, _ part: String, _ body: () throws -> Void) {
    let error = #expect(throws: ApusError.self) { try body() }
    guard let message = error?.description else { return }
    #expect(message.contains(part), "\(message)")
    #expect(!message.contains { $0.isNewline }, "\(message)")
    #expect(message.contains(".gguf") || message.contains(".safetensors"), "\(message)")
}

/// The 64-bit Fowler-Noll-Vo hash, as the fixtures' script computes it.
func fnv1a(_ bytes: FileBytes) -> String {
    let hash = bytes.withSpan { span in
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for offset in 0..<span.byteCount {
            hash = (hash ^ UInt64(span.unsafeLoad(fromByteOffset: offset, as: UInt8.self))) &* 0x100_0000_01B3
        }
        return hash
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

/// Compares tensors with their description in a `valid.json`.
func expectTensors(_ tensors: [TensorInfo], _ expected: JSONValue) throws {
    let expected = try expected.elements().map { $0 }
    try #require(tensors.count == expected.count)
    for entry in expected {
        let name = try entry.member("name").string()
        let tensor = try #require(tensors.first { $0.name == name })
        #expect(tensor.type.description == (try entry.member("type").string()))
        #expect(tensor.shape == (try entry.member("shape").elements().map { try $0.integer() }))
        #expect(tensor.bytes.count == (try entry.member("bytes").integer()))
        #expect(fnv1a(tensor.bytes) == (try entry.member("fnv1a").string()), "\(name)")
    }
}
