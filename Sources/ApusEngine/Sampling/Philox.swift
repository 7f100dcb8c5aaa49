/// Random numbers without state: the n-th number is a function of seed and n alone, so a token's number depends
/// neither on the batch nor on tokens drawn before.
///
/// Philox4x32-10 of Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (2011), with the seed as key and n as
/// counter.
package struct Philox: Sendable {
    private let key: SIMD2<UInt32>

    /// Creates the generator for a seed.
    package init(seed: UInt64) {
        key = SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    }

    /// The n-th number, evenly spread over 0 ..< 1 in steps of 2^-24.
    package func uniform(_ index: UInt64) -> Float {
        let counter = SIMD4(UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32), 0, 0)
        return Float(block(counter)[0] >> 8) * 0x1p-24
    }

    /// The 128 random bits that belong to a counter.
    package func block(_ counter: SIMD4<UInt32>) -> SIMD4<UInt32> {
        var state = counter
        var key = key
        for _ in 0..<10 {
            let low = state[0].multipliedFullWidth(by: 0xD251_1F53)
            let high = state[2].multipliedFullWidth(by: 0xCD9E_8D57)
            state = SIMD4(high.high ^ state[1] ^ key[0], high.low, low.high ^ state[3] ^ key[1], low.low)
            // Weyl sequence: the golden ratio and the square root of 3 minus 1.
            key &+= SIMD2(0x9E37_79B9, 0xBB67_AE85)
        }
        return state
    }
}
