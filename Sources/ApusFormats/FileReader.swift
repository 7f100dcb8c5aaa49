import ApusCore

/// A cursor over a file's bytes: every read is checked against what is left, and every error names file and field.
struct FileReader {
    let bytes: FileBytes
    private(set) var position = 0

    init(_ bytes: FileBytes) { self.bytes = bytes }

    var path: String { bytes.file.path }
    var remaining: Int { bytes.count - position }

    func malformed(_ field: String, expected: String, found: String) -> ApusError {
        .malformed(path, field, expected: expected, found: found)
    }

    /// Reads a little-endian integer.
    mutating func integer<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type = Number.self,
        _ field: @autoclosure () -> String
    ) throws -> Number {
        guard let value = bytes.withSpan({ $0.littleEndian(at: position, as: Number.self) }) else {
            throw truncated(field(), wanted: "\(MemoryLayout<Number>.size)")
        }
        position += MemoryLayout<Number>.size
        return value
    }

    /// Reads a 64-bit count of things that take at least `minimumSize` bytes each, refusing one that cannot fit in
    /// what is left of the file: no allocation or loop is ever sized by a number the file merely claims.
    mutating func count(
        minimumSize: Int,
        maximum: Int = .max,
        _ field: @autoclosure () -> String
    ) throws -> Int {
        let claimed = try integer(UInt64.self, field())
        guard claimed <= UInt64(remaining / minimumSize) else {
            throw malformed(
                field(),
                expected: "at most \(remaining / minimumSize) (\(remaining) bytes are left)",
                found: "\(claimed)"
            )
        }
        guard claimed <= UInt64(maximum) else {
            throw malformed(field(), expected: "at most \(maximum)", found: "\(claimed)")
        }
        return Int(claimed)
    }

    /// Takes the next `count` bytes.
    mutating func take(_ count: Int, _ field: @autoclosure () -> String) throws -> FileBytes {
        guard let slice = bytes.slice(offset: position, count: count) else {
            throw truncated(field(), wanted: "\(count)")
        }
        position += count
        return slice
    }

    /// Moves to `offset`, which must not lie past the end.
    mutating func seek(to offset: Int, _ field: @autoclosure () -> String) throws {
        guard offset >= 0, offset <= bytes.count else { throw truncated(field(), wanted: "\(offset - position)") }
        position = offset
    }

    private func truncated(_ field: String, wanted: String) -> ApusError {
        malformed(field, expected: "\(wanted) bytes at byte \(position)", found: "\(remaining) (the file is truncated)")
    }
}
