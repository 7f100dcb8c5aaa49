import ApusTensor
import ApusTestSupport
import Testing

@Suite struct ChecksumTests {
    /// The definition in plain steps, lane by lane.
    private static func plain(_ bytes: [UInt8], seed: UInt64) -> UInt64 {
        let odd: UInt64 = 0x9e37_79b9_7f4a_7c15
        func step(_ lane: UInt64, _ word: UInt64) -> UInt64 {
            let mixed = lane ^ word
            return ((mixed << 29) | (mixed >> 35)) &* odd
        }
        var lanes = (1...8).map { seed &+ UInt64($0) &* odd }
        let padded = bytes + Array(repeating: 0, count: (64 - bytes.count % 64) % 64)
        for start in stride(from: 0, to: padded.count, by: 8) {
            let word = (0..<8).reduce(UInt64(0)) { $0 | UInt64(padded[start + $1]) << (8 * UInt64($1)) }
            lanes[start / 8 % 8] = step(lanes[start / 8 % 8], word)
        }
        var sum = step(lanes.reduce(seed, step), UInt64(bytes.count))
        sum = (sum ^ (sum >> 32)) &* odd
        return sum ^ (sum >> 29)
    }

    private static func bytes(_ count: Int) -> [UInt8] {
        var random = SmallRandom(seed: UInt64(count))
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    @Test(arguments: [0, 1, 7, 8, 63, 64, 65, 128, 1000]) func itIsWhatItsDefinitionSays(count: Int) {
        let bytes = Self.bytes(count)
        for seed: UInt64 in [0, 1, .max] {
            #expect(Checksum.of(bytes.span.bytes, seed: seed) == Self.plain(bytes, seed: seed))
        }
    }

    @Test func everyFlippedBitAndEveryLengthChangesIt() {
        var bytes = Self.bytes(200)
        let sum = Checksum.of(bytes.span.bytes)
        for bit in 0..<bytes.count * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8)
            #expect(Checksum.of(bytes.span.bytes) != sum)
            bytes[bit / 8] ^= 1 << (bit % 8)
        }
        let sums = (0...300).map { Checksum.of([UInt8](repeating: 0, count: $0).span.bytes) }
        #expect(Set(sums).count == sums.count)
    }
}
