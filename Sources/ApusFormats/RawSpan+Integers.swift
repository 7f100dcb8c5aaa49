extension RawSpan {
    /// The little-endian integer at `offset`, which need not be aligned; nil if it does not lie inside.
    @inline(__always)
    func littleEndian<Number: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: Number.Type) -> Number? {
        guard offset >= 0, offset <= byteCount, byteCount - offset >= MemoryLayout<Number>.size else { return nil }
        // sound because every bit pattern is a valid fixed-width integer, and the range was checked
        return Number(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    /// The byte at `offset`; nil past the end.
    @inline(__always)
    func byte(at offset: Int) -> UInt8? { littleEndian(at: offset, as: UInt8.self) }
}
