import ApusTensor
import Testing

@Suite struct ComputePeaksTests {
    @Test(arguments: KernelTier.available) func everyTierHasPeaks(tier: KernelTier) throws {
        let peaks = try ComputePeaks(measuring: Compute(tier: tier, threadCount: 2))
        #expect(peaks.dots > 0 && peaks.dots.isFinite)
        #expect(peaks.fusedMultiplyAdds > 0 && peaks.fusedMultiplyAdds.isFinite)
    }
}
