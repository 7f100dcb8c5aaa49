import ApusEngine
import Testing

@Suite struct PhiloxTests {
    /// Known answers of philox4x32-10 as published with the Random123 library.
    @Test func blocksEqualTheKnownAnswers() {
        let ones = SIMD4<UInt32>(repeating: .max)
        #expect(Philox(seed: 0).block(.zero) == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
        #expect(Philox(seed: .max).block(ones) == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
        let digits = SIMD4<UInt32>(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344)
        #expect(
            Philox(seed: 0x299f_31d0_a409_3822).block(digits)
                == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
        )
    }

    @Test func numbersLieEvenlyBetweenZeroAndOne() {
        let random = Philox(seed: 9)
        var counts = Array(repeating: 0, count: 10)
        for index in 0..<10_000 {
            let number = random.uniform(UInt64(index))
            #expect(number >= 0 && number < 1)
            counts[Int(number * 10)] += 1
        }
        #expect(counts.allSatisfy { (880...1120).contains($0) })
    }
}
