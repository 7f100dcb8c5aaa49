import ApusCore
import ApusTestSupport

/// Blocks of a type and what the gguf package makes of them, or numpy of our own types; the layout is described in
/// tools/fixtures/codecs.py.
struct CodecFixture {
    let type: ElementType
    let blocks: FileBytes
    let decoded: [Float]
    /// Inputs with the blocks that the reference quantizes them to, for the types it can quantize.
    let encoding: (inputs: [Float], blocks: [UInt8])?

    init(_ type: ElementType) throws {
        let path = Fixture.path("codecs/\(type.description.lowercased()).bin")
        let file = try MappedFile(path: path).bytes
        let header = try Self.array(file, at: 0, count: 4, of: Int32.self).map { Int($0) }
        guard header[0] == Int(type.rawValue) else {
            throw ApusError(.malformedFile, "\(path): expected type \(type.rawValue), found \(header[0])")
        }
        let (count, blockByteCount) = (header[1], header[2])
        self.type = type
        blocks = try Self.slice(file, at: 16, byteCount: blockByteCount)
        decoded = try Self.array(file, at: 16 + blockByteCount, count: count, of: Float.self)
        guard header[3] == 1 else {
            encoding = nil
            return
        }
        let inputsAt = 16 + blockByteCount + 4 * count
        encoding = (
            try Self.array(file, at: inputsAt, count: count, of: Float.self),
            try Self.array(file, at: inputsAt + 4 * count, count: blockByteCount, of: UInt8.self)
        )
    }

    private static func slice(_ file: FileBytes, at offset: Int, byteCount: Int) throws -> FileBytes {
        guard let slice = file.slice(offset: offset, count: byteCount) else {
            throw ApusError(.malformedFile, "\(file.file.path): shorter than \(offset + byteCount) bytes")
        }
        return slice
    }

    private static func array<Element: BitwiseCopyable>(
        _ file: FileBytes,
        at offset: Int,
        count: Int,
        of type: Element.Type
    ) throws -> [Element] {
        let size = MemoryLayout<Element>.stride
        return try slice(file, at: offset, byteCount: count * size).withUnsafeBytes { bytes in
            (0..<count).map { bytes.loadUnaligned(fromByteOffset: $0 * size, as: type) }
        }
    }
}
