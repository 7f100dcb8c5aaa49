internal import CApusKernels

extension KernelTable {
    /// The kernels that `APUS_KERNELS` names, or the best: for work outside of a `Compute`, where any tier will do.
    package static let current = table(of: (try? KernelTier.fromEnvironment()) ?? .best)

    private static func table(of tier: KernelTier) -> KernelTable {
        guard let table = try? KernelTable(tier: tier) else { preconditionFailure("\(tier) was found to be available") }
        return table
    }

    /// Writes `exp(fl(x - shift))` of each element to the first elements of `output`, which must be there.
    ///
    /// The same bits on every tier (docs/numbers.md, section 5).
    package func exponentials(of input: Span<Float>, minus shift: Float, into output: inout [Float]) {
        precondition(input.count <= output.count)
        input.withUnsafeBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                guard let from = source.baseAddress, let to = target.baseAddress else { return }
                raw.pointee.elementwise.exp(from, shift, to, Int64(source.count))
            }
        }
    }

    /// Replaces the first elements by their exponentials.
    package func exponentials(inPlace values: inout [Float], first count: Int) {
        precondition(count <= values.count)
        values.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            // sound because the kernel reads each element before it writes it
            raw.pointee.elementwise.exp(base, 0, base, Int64(count))
        }
    }
}
