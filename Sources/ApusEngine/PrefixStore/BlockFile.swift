package import ApusCore
package import ApusTensor

/// The format of a full block's file, for one model: a head, the block's bytes, a checksum over both.
///
/// The head states everything that the bytes depend on: the format, the numbers contract, the model, the shape, and all
/// tokens from the text's start to the block's end. Whoever reads knows what the head has to be, so a file is never
/// parsed: it is compared. All numbers are little-endian.
///
/// | bytes | |
/// |---|---|
/// | 8 | `APUSKV` and two zeros |
/// | 4, 4 | version of the format, version of the numbers contract |
/// | 16 | the model's fingerprint |
/// | 4 each | KV type, layers, KV heads, dimensions of a head, positions of a block, tokens |
/// | 8 | bytes of the block |
/// | 4 each | the tokens |
/// | … | the block as it is in memory |
/// | 8 | `Checksum` of all that |
package struct BlockFile: Sendable {
    /// The version of this format.
    package static let version: UInt32 = 1

    private let start: [UInt8]
    private let blockByteCount: Int

    /// The format of a model's blocks.
    package init(fingerprint: ModelFingerprint, shape: KVShape, type: KVType) {
        blockByteCount = shape.blockByteCount(type)
        var start = Array("APUSKV\0\0".utf8)
        start.append(littleEndian: Self.version)
        start.append(littleEndian: KVBlockMemory.numbersVersion)
        for word in fingerprint.words { start.append(littleEndian: word) }
        start.append(littleEndian: UInt32(type == .f16 ? 0 : 1))
        for size in [shape.layerCount, shape.headCount, shape.headDimension, type.blockLength] {
            start.append(littleEndian: UInt32(size))
        }
        self.start = start
    }

    /// Bytes of the file of a block that ends after so many tokens.
    package func byteCount(tokenCount: Int) -> Int { start.count + 12 + tokenCount * 4 + blockByteCount + 8 }

    /// Writes a block's file.
    /// - Throws: `ApusError`.
    package func write(
        _ block: Int32,
        of memory: KVBlockMemory,
        tokens: ArraySlice<Int32>,
        as name: String,
        in folder: PrivateFolder
    ) throws {
        let head = head(tokens)
        try folder.write(name) { file in
            try file.write(head.span.bytes)
            try memory.withBytes(ofBlock: block) { bytes in
                try file.write(bytes)
                var end: [UInt8] = []
                end.append(littleEndian: Checksum.of(bytes, seed: Checksum.of(head.span.bytes)))
                try file.write(end.span.bytes)
            }
        }
    }

    /// Fills a block from its file; if that fails the block may hold anything.
    /// - Throws: `FileMismatch` if the file is not exactly what `write` would have written for these tokens, `ApusError` if
    ///   it isn't there or can't be read.
    package func read(
        into block: Int32,
        of memory: KVBlockMemory,
        tokens: ArraySlice<Int32>,
        from name: String,
        in folder: PrivateFolder
    ) throws {
        let file = try folder.opened(name, byteCount: byteCount(tokenCount: tokens.count))
        let expected = head(tokens)
        guard try Self.read(expected.count, of: file) == expected else { throw FileMismatch() }
        let sum = try memory.withMutableBytes(ofBlock: block) { bytes in
            try file.read(into: &bytes)
            return Checksum.of(bytes.bytes, seed: Checksum.of(expected.span.bytes))
        }
        var end: [UInt8] = []
        end.append(littleEndian: sum)
        guard try Self.read(end.count, of: file) == end else { throw FileMismatch() }
    }

    private func head(_ tokens: ArraySlice<Int32>) -> [UInt8] {
        var head = start
        head.reserveCapacity(start.count + 12 + tokens.count * 4)
        head.append(littleEndian: UInt32(tokens.count))
        head.append(littleEndian: UInt64(blockByteCount))
        for token in tokens { head.append(littleEndian: token) }
        return head
    }

    private static func read(_ count: Int, of file: borrowing OpenFile) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        try file.read(into: &raw)
        return bytes
    }

    /// 16 digits.
    package static func hexadecimal(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension [UInt8] {
    fileprivate mutating func append<Number: FixedWidthInteger>(littleEndian number: Number) {
        for shift in stride(from: 0, to: Number.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: number >> shift)) }
    }
}
