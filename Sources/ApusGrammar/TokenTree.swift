/// Texts as a tree of their bytes, laid out depth first: a walk that cannot take a byte goes on behind its subtree.
struct TokenTree {
    struct Node {
        let byte: UInt8
        /// How many bytes stand before it.
        let depth: UInt16
        /// The index of the next node that isn't below this one.
        var skip: Int32
        /// Where its tokens begin; they end where the next node's begin.
        let tokens: Int32
    }

    /// The nodes, and one behind the last that ends its tokens.
    private(set) var nodes: [Node] = []
    /// The ids in the order of their nodes.
    private(set) var tokens: [Int32] = []
    /// How many bytes the longest text has.
    private(set) var depth = 0

    /// - Parameter order: ids by the order of their texts.
    init(_ order: [Int32], _ texts: TokenTexts) {
        var path: [Int] = []
        var previous: ArraySlice<UInt8> = []
        tokens.reserveCapacity(order.count)
        nodes.reserveCapacity(2 * order.count)
        for id in order {
            let text = texts[id]
            var common = 0
            let limit = min(text.count, previous.count)
            while common < limit, text[text.startIndex + common] == previous[previous.startIndex + common] {
                common += 1
            }
            close(&path, downTo: common)
            for byte in text.dropFirst(common) {
                nodes.append(
                    Node(
                        byte: byte,
                        depth: UInt16(truncatingIfNeeded: path.count),
                        skip: 0,
                        tokens: Int32(truncatingIfNeeded: tokens.count)
                    )
                )
                path.append(nodes.count - 1)
            }
            depth = max(depth, path.count)
            tokens.append(id)
            previous = text
        }
        close(&path, downTo: 0)
        nodes.append(Node(byte: 0, depth: 0, skip: 0, tokens: Int32(truncatingIfNeeded: tokens.count)))
    }

    private mutating func close(_ path: inout [Int], downTo depth: Int) {
        while path.count > depth, let node = path.popLast() {
            nodes[node].skip = Int32(truncatingIfNeeded: nodes.count)
        }
    }
}

/// The texts of all tokens, in one array.
struct TokenTexts {
    private var bytes: [UInt8] = []
    private var ends: [Int32] = []

    var byteCount: Int { bytes.count }

    mutating func append(_ text: [UInt8]) {
        bytes += text
        ends.append(Int32(truncatingIfNeeded: bytes.count))
    }

    subscript(id: Int32) -> ArraySlice<UInt8> {
        let start = id == 0 ? 0 : Int(ends[Int(id) - 1])
        return bytes[start..<Int(ends[Int(id)])]
    }

    /// Ids by the order of their texts.
    func sorted(_ ids: [Int32]) -> [Int32] {
        // The first eight bytes decide nearly always.
        let keys = ids.map { id in (prefix: prefix(self[id]), id: id) }
        return keys.sorted { left, right in
            left.prefix == right.prefix
                ? self[left.id].lexicographicallyPrecedes(self[right.id]) : left.prefix < right.prefix
        }.map(\.id)
    }

    private func prefix(_ text: ArraySlice<UInt8>) -> UInt64 {
        let head = text.prefix(8)
        let word = head.reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        return head.isEmpty ? 0 : word << UInt64(64 - 8 * head.count)
    }
}
