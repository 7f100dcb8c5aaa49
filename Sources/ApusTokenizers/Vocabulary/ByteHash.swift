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
        while position < end {
            var word: UInt64 = 0
            let stop = min(position + 8, end)
            while position < stop {
                word = word << 8 | UInt64(bytes[position])
                position += 1
            }
            hash = Self.fold(hash ^ word)
        }
        return Self.fold(hash)
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
