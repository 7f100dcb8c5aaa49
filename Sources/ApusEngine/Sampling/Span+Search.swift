/// Scans of a row, sixteen elements at a time.
extension Span<Float> {
    /// The first index from `start` on whose element is above `bound` or not a number; nil if there is none.
    @inline(__always)
    func first(above bound: Float, from start: Int) -> Int? {
        first(from: start) {
            !($0 <= bound)
        } inLanes: {
            any(.!($0 .<= bound))
        }
    }

    /// The first index from `start` on whose element is at least `bound`; nil if there is none.
    @inline(__always)
    func first(atLeast bound: Float, from start: Int) -> Int? {
        first(from: start) {
            $0 >= bound
        } inLanes: {
            any($0 .>= bound)
        }
    }

    @inline(__always)
    private func first(
        from start: Int,
        where isWanted: (Float) -> Bool,
        inLanes isAnyWanted: (SIMD16<Float>) -> Bool
    ) -> Int? {
        var index = start
        while index + 16 <= count, !isAnyWanted(lanes(at: index)) { index += 16 }
        while index < count, !isWanted(self[index]) { index += 1 }
        return index < count ? index : nil
    }

    /// The largest element; negative infinity if there is none.
    var largest: Float {
        var largest = -Float.infinity
        var next = 0
        while let index = first(above: largest, from: next) {
            largest = self[index]
            next = index + 1
        }
        return largest
    }
}
