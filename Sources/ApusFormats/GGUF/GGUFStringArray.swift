public import ApusCore

/// The strings of a GGUF array, viewed in the mapped file.
///
/// Making the view walks the array once and keeps four bytes a string; nothing is decoded. Elements are bytes, since
/// tokens need not be valid UTF-8. Thread-safe.
public struct GGUFStringArray: RandomAccessCollection, Sendable {
    // The payload: each string is a 64-bit length and its bytes.
    private let payload: FileBytes
    // Where each string's length stands in the payload.
    private let offsets: [UInt32]

    static let lengthSize = MemoryLayout<UInt64>.size

    /// Indexes a payload that was already checked to hold `count` strings; nil if it is longer than an offset can say.
    init?(payload: FileBytes, count: Int) {
        guard payload.count <= Int(UInt32.max) else { return nil }
        self.payload = payload
        offsets = payload.withSpan { span in
            var offsets: [UInt32] = []
            offsets.reserveCapacity(count)
            var position = 0
            while offsets.count < count, let length = span.littleEndian(at: position, as: UInt64.self) {
                offsets.append(UInt32(truncatingIfNeeded: position))
                position += Self.lengthSize + Int(truncatingIfNeeded: length)
            }
            return offsets
        }
    }

    /// The first index, 0.
    public var startIndex: Int { 0 }
    /// The number of strings.
    public var endIndex: Int { offsets.count }

    /// The bytes of all strings, each with the eight of its length.
    package var byteCount: Int { payload.count }

    /// The bytes of a string, as a slice of the mapped file.
    public subscript(position: Int) -> FileBytes {
        let range = byteRange(at: position)
        guard let slice = payload.slice(offset: range.lowerBound, count: range.count) else {
            preconditionFailure("string \(position) was checked when the file was opened")
        }
        return slice
    }

    /// Calls `body` with the bytes of a string; faster than the subscript where the bytes are only read.
    public func withBytes<Result>(at position: Int, _ body: (RawSpan) throws -> Result) rethrows -> Result {
        let range = byteRange(at: position)
        return try payload.withSpan { try body($0.extracting(range)) }
    }

    private func byteRange(at position: Int) -> Range<Int> {
        let start = Int(offsets[position]) + Self.lengthSize
        let next = position + 1 < offsets.count ? Int(offsets[position + 1]) : payload.count
        return start..<next
    }
}
