import ApusCore

/// Looks for NaN and infinity among the floats of a tensor as the file stores it: its elements, or its blocks' or rows' scales.
///
/// Any bit pattern is a finite number in the codes of a quantized block, so its scales are all that needs looking at.
enum FiniteCheck {
    /// Whether all floats are finite.
    /// - Parameters:
    ///   - bytes: a whole number of blocks; of rows, if those have headers.
    ///   - rowByteCount: bytes of a row.
    static func areFinite(_ bytes: UnsafeRawBufferPointer, _ type: ElementType, rowByteCount: Int) -> Bool {
        guard let base = bytes.baseAddress else { return true }
        // A float is infinite or NaN if its exponent's bits are all set: then, without its sign, it is not smaller than
        // infinity's bits.
        switch type {
        case .f32: return largestMagnitude(base, Int32.self, bytes.count / 4) < 0x7F80_0000
        case .bf16: return largestMagnitude(base, Int16.self, bytes.count / 2) < 0x7F80
        case .f16: return largestMagnitude(base, Int16.self, bytes.count / 2) < 0x7C00
        case .i4Row:
            return largestMagnitude(base, Int32.self, bytes.count / rowByteCount, stride: rowByteCount) < 0x7F80_0000
        default:
            let offsets = scaleOffsets(of: type)
            var largest: Int16 = 0
            for block in stride(from: 0, to: bytes.count, by: type.blockByteCount) {
                let first = base.loadUnaligned(fromByteOffset: block + offsets.0, as: Int16.self)
                let second = base.loadUnaligned(fromByteOffset: block + offsets.1, as: Int16.self)
                largest = max(largest, max(first & .max, second & .max))
            }
            return largest < 0x7C00
        }
    }

    private static func largestMagnitude<Bits: FixedWidthInteger & BitwiseCopyable>(
        _ base: UnsafeRawPointer,
        _ type: Bits.Type,
        _ count: Int,
        stride: Int = MemoryLayout<Bits>.size
    ) -> Bits {
        var largest: Bits = 0
        for index in 0..<count {
            let bits = base.loadUnaligned(fromByteOffset: index * stride, as: Bits.self)
            largest = max(largest, bits & .max)
        }
        return largest
    }

    /// Where a block's one or two half-float scales lie; twice the same place where there is one.
    private static func scaleOffsets(of type: ElementType) -> (Int, Int) {
        switch type {
        case .f32, .f16, .bf16, .i4Row: (0, 0)
        case .q4_0, .q5_0, .q8_0, .iq4NL, .iq4XS: (0, 0)
        case .q4_1, .q5_1, .q4K, .q5K, .q3G64, .q3G128: (0, 2)
        case .q2K: (80, 82)
        case .q3K: (108, 108)
        case .q6K: (208, 208)
        }
    }
}
