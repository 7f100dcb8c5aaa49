/// A 64-bit checksum that is computed at memory speed, against accidents: bits that flipped, files cut short.
///
/// Eight lanes take 64-bit little-endian words in turn: `lane = rotl(lane ^ word, 29) * odd`. A step is a bijection of
/// the lane and of the word, and so is the folding of the lanes at the end, by the same step. A change within one word
/// therefore always changes the sum; any other goes unnoticed once in 2^64. The last words are filled up with zeros and
/// the length is folded in.
///
/// It is no cryptographic hash: whoever may write the bytes can also make them fit.
package enum Checksum {
    private static let multiplier: UInt64 = 0x9e37_79b9_7f4a_7c15
    private static let rotation: UInt64 = 29

    /// The checksum of bytes; `seed` may be that of bytes before them.
    package static func of(_ bytes: RawSpan, seed: UInt64 = 0) -> UInt64 {
        bytes.withUnsafeBytes { of($0, seed: seed) }
    }

    private static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
        typealias Lanes = SIMD8<UInt64>
        let width = MemoryLayout<Lanes>.size
        var lanes = Lanes(repeating: seed) &+ Lanes(1, 2, 3, 4, 5, 6, 7, 8) &* multiplier
        func take(_ words: Lanes) {
            let mixed = lanes ^ words
            lanes = ((mixed &<< rotation) | (mixed &>> (64 - rotation))) &* multiplier
        }
        let whole = bytes.count / width * width
        for offset in stride(from: 0, to: whole, by: width) {
            take(bytes.loadUnaligned(fromByteOffset: offset, as: Lanes.self))
        }
        if whole < bytes.count {
            var rest = Lanes(repeating: 0)
            withUnsafeMutableBytes(of: &rest) { $0.copyMemory(from: .init(rebasing: bytes[whole...])) }
            take(rest)
        }
        var sum = seed
        for lane in lanes.indices { sum = mix(sum, lanes[lane]) }
        return scatter(mix(sum, UInt64(bytes.count)))
    }

    /// One step on a single lane.
    package static func mix(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        let mixed = lane ^ word
        return (mixed << rotation | mixed >> (64 - rotation)) &* multiplier
    }

    /// Lets every bit of a lane have a say in every bit of the sum.
    package static func scatter(_ lane: UInt64) -> UInt64 {
        let folded = (lane ^ lane >> 32) &* multiplier
        return folded ^ folded >> 29
    }
}
