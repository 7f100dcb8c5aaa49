/// Bytes that no rule of a grammar tells apart, numbered in their order.
struct ByteClasses {
    /// The class of each byte.
    let ofByte: [UInt8]
    /// The first byte of each class.
    let first: [UInt8]

    var count: Int { first.count }

    init(_ nodes: [GrammarNode]) {
        // Whether a class begins with a byte; the plain characters' forms are told apart too.
        var isFirst = [Bool](repeating: false, count: 257)
        isFirst[0] = true
        func cut(_ low: UInt8, _ high: UInt8) {
            isFirst[Int(low)] = true
            isFirst[Int(high) + 1] = true
        }
        for node in nodes where node.kind == .bytes { cut(node.low, node.high) }
        for range in PlainCharacters.forms.joined() { cut(range.lowerBound, range.upperBound) }
        first = (0...255).filter { isFirst[Int($0)] }
        var last = -1
        ofByte = (0..<256).map { byte in
            if isFirst[byte] { last += 1 }
            return UInt8(truncatingIfNeeded: last)
        }
    }
}
