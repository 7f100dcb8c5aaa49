internal import CApusKernels

extension KernelTable {
    /// The kernels that `APUS_KERNELS` names, or the best: for work outside of a `Compute`, where any tier will do.
    package static let current = table(of: (try? KernelTier.fromEnvironment()) ?? .best)

    private static func table(of tier: KernelTier) -> KernelTable {
        guard let table = try? KernelTable(tier: tier) else { preconditionFailure("\(tier) was found to be available") }
        return table
    }

    /// Writes `exp(fl(x - shift))` of each element to the elements of `output` from `start` on, which must be there.
    ///
    /// The same bits on every tier (docs/numbers.md, section 5).
    package func exponentials(
        of input: Span<Float>,
        minus shift: Float,
        into output: inout MutableSpan<Float>,
        at start: Int = 0
    ) {
        precondition(start >= 0 && start <= output.count && input.count <= output.count - start)
        input.withUnsafeBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                guard let from = source.baseAddress, let to = target.baseAddress else { return }
                raw.pointee.elementwise.exp(from, shift, to + start, Int64(source.count))
            }
        }
    }
}
