/// A hash of short byte strings, seeded anew in every process so that no file can aim at its collisions.
struct ByteHash: Sendable {
    private let seed: UInt64 = .random(in: .min ... .max)
    private static let multiplier: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// The hash of a range of bytes: eight at a time, folded by 128-bit products.
    @inline(__always)
    func callAsFunction(_ bytes: Span<UInt8>, _ start: Int, _ count: Int) -> UInt64 {
        var hash = seed ^ UInt64(truncatingIfNeeded: count)
        var position = start
        let end = start + count
        while end - position > 8 {
            hash = Self.fold(hash ^ bytes.word(position, 8))
            position += 8
        }
        return Self.fold(Self.fold(hash ^ bytes.word(position, end - position)))
    }

    /// The hash of a number.
    @inline(__always)
    func callAsFunction(_ number: UInt64) -> UInt64 { Self.fold(number ^ seed) }

    @inline(__always)
    private static func fold(_ word: UInt64) -> UInt64 {
        let product = (word ^ 0x2D35_8DCC_AA6C_78A5).multipliedFullWidth(by: multiplier)
        return product.high ^ product.low
    }
}

extension Span<UInt8> {
    /// Up to eight bytes as one number, different for different bytes of the same count.
    @inline(__always)
    func word(_ start: Int, _ count: Int) -> UInt64 {
        // sound because every bit pattern is a valid integer, and the span checks its bounds
        let bytes = self.bytes
        if count == 8 { return bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt64.self) }
        if count >= 4 {
            // Two halves that overlap.
            let low = bytes.unsafeLoadUnaligned(fromByteOffset: start, as: UInt32.self)
            let high = bytes.unsafeLoadUnaligned(fromByteOffset: start + count - 4, as: UInt32.self)
            return UInt64(high) << 32 | UInt64(low)
        }
        guard count > 0 else { return 0 }
        let (first, middle, last) = (self[start], self[start + (count >> 1)], self[start + count - 1])
        return UInt64(last) << 16 | UInt64(middle) << 8 | UInt64(first)
    }

    /// Whether `count` bytes from `start` are those of another span from `otherStart`.
    @inline(__always)
    func matches(_ start: Int, _ other: Span<UInt8>, _ otherStart: Int, count: Int) -> Bool {
        var offset = 0
        while count - offset > 8 {
            if word(start + offset, 8) != other.word(otherStart + offset, 8) { return false }
            offset += 8
        }
        return word(start + offset, count - offset) == other.word(otherStart + offset, count - offset)
    }
}
