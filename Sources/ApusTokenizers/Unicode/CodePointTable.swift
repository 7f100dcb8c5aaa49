/// A byte for every code point, in two stages: equal pages are stored once.
struct CodePointTable: Sendable {
    private static let pageBits: UInt32 = 7
    private static let pageSize = 1 << 7
    private static let codePointCount = 0x110000

    private let pages: [UInt16]
    private let values: [UInt8]

    /// Expands a table of runs, (length, value) over all code points.
    init(runs: String) {
        var flat: [UInt8] = []
        flat.reserveCapacity(Self.codePointCount)
        var numbers = PackedNumbers(runs)
        while let length = numbers.next(), let value = numbers.next() {
            flat.append(contentsOf: repeatElement(UInt8(truncatingIfNeeded: value), count: length))
        }
        var pages: [UInt16] = []
        var values: [UInt8] = []
        var known: [ArraySlice<UInt8>: UInt16] = [:]
        for start in stride(from: 0, to: flat.count, by: Self.pageSize) {
            let page = flat[start..<min(start + Self.pageSize, flat.count)]
            if let index = known[page] {
                pages.append(index)
            } else {
                let index = UInt16(truncatingIfNeeded: known.count)
                known[page] = index
                pages.append(index)
                values.append(contentsOf: page)
            }
        }
        self.pages = pages
        self.values = values
    }

    /// The value of a code point; 0 beyond U+10FFFF.
    @inline(__always)
    subscript(scalar: UInt32) -> UInt8 {
        let page = Int(scalar >> Self.pageBits)
        guard page < pages.count else { return 0 }
        return values[Int(pages[page]) << Int(Self.pageBits) | Int(scalar) & (Self.pageSize - 1)]
    }
}
