/// A sum over 16 lanes and a tree (docs/numbers.md, section 1).
struct LaneSum {
    private var lanes = SIMD16<Float>()

    /// The sum of all values added.
    var total: Float {
        let eight = lanes.lowHalf + lanes.highHalf
        let four = eight.lowHalf + eight.highHalf
        let two = four.lowHalf + four.highHalf
        return two[0] + two[1]
    }

    /// Adds the values that are at least `threshold`, those below as +0; all but the last call add a multiple of 16.
    mutating func add(_ values: Span<Float>, atLeast threshold: Float = -.infinity) {
        var index = 0
        while index + 16 <= values.count {
            let chunk = values.lanes(at: index)
            lanes += chunk.replacing(with: 0, where: chunk .< threshold)
            index += 16
        }
        for lane in 0..<values.count - index where values[index + lane] >= threshold {
            lanes[lane] += values[index + lane]
        }
    }
}

extension Span<Float> {
    /// Sixteen neighbours.
    @inline(__always)
    func lanes(at index: Int) -> SIMD16<Float> {
        // sound because every bit pattern is a float, and the span checks its bounds
        bytes.unsafeLoadUnaligned(fromByteOffset: index * MemoryLayout<Float>.stride, as: SIMD16<Float>.self)
    }
}
