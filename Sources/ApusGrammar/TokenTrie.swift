package import ApusTokenizers

/// The bytes of all tokens of a vocabulary as one tree, laid out depth first.
///
/// A parser that cannot take a byte skips all tokens that go on like that. A special token is its name behind a byte that
/// no text has, so a grammar allows it where it names it and nowhere else. Made once for a model and shared.
/// Thread-safe: immutable.
package final class TokenTrie: Sendable {
    struct Node {
        let byte: UInt8
        /// How many bytes stand before it.
        let depth: UInt16
        /// The index of the next node that isn't below this one.
        var skip: Int32
        /// Where its tokens begin; they end where the next node's begin.
        let tokens: Int32
    }

    let nodes: [Node]
    /// The ids in the order of their nodes.
    let tokens: [Int32]
    private let offsets: [Int32]
    private let bytes: [UInt8]
    /// How many ids the vocabulary has.
    package let vocabularySize: Int
    /// The tokens that end a text.
    package let endOfGeneration: Set<Int32>
    private let isText: [Bool]

    /// Longer tokens are never offered.
    private static let longestToken = 1_024

    /// What stands before the names of special tokens.
    static let specialMark: UInt8 = 0xFF

    /// Collects a vocabulary's tokens.
    package convenience init(_ tokenizer: Tokenizer) {
        let ids = 0..<Int32(truncatingIfNeeded: tokenizer.vocabularySize)
        let ends = tokenizer.endOfGeneration
        self.init(
            tokens: ids.map { (tokenizer.isSpecial($0) ? [Self.specialMark] : []) + tokenizer.token($0) },
            endOfGeneration: ends
        )
    }

    /// Collects tokens given by their bytes; those without bytes and those that end a text are no text.
    package init(tokens texts: [[UInt8]], endOfGeneration: Set<Int32>) {
        vocabularySize = texts.count
        self.endOfGeneration = endOfGeneration
        isText = texts.enumerated().map { id, text in
            !text.isEmpty && text.count <= Self.longestToken
                && !endOfGeneration.contains(Int32(truncatingIfNeeded: id))
        }
        var offsets: [Int32] = [0]
        var bytes: [UInt8] = []
        for text in texts {
            bytes += text
            offsets.append(Int32(truncatingIfNeeded: bytes.count))
        }
        (self.offsets, self.bytes) = (offsets, bytes)
        let isText = isText
        let order = texts.indices.filter { isText[$0] }.sorted { texts[$0].lexicographicallyPrecedes(texts[$1]) }
        (nodes, tokens) = Self.layOut(order, texts)
    }

    private static func layOut(_ order: [Int], _ texts: [[UInt8]]) -> ([Node], [Int32]) {
        var nodes: [Node] = []
        var tokens: [Int32] = []
        var path: [Int] = []
        var previous: [UInt8] = []
        func close(_ depth: Int) {
            while path.count > depth, let node = path.popLast() {
                nodes[node].skip = Int32(truncatingIfNeeded: nodes.count)
            }
        }
        for id in order {
            let text = texts[id]
            close(zip(text, previous).prefix { $0 == $1 }.count)
            for depth in path.count..<text.count {
                path.append(nodes.count)
                let first = Int32(truncatingIfNeeded: tokens.count)
                nodes.append(
                    Node(byte: text[depth], depth: UInt16(truncatingIfNeeded: depth), skip: 0, tokens: first)
                )
            }
            tokens.append(Int32(truncatingIfNeeded: id))
            previous = text
        }
        close(0)
        nodes.append(Node(byte: 0, depth: 0, skip: 0, tokens: Int32(truncatingIfNeeded: tokens.count)))
        return (nodes, tokens)
    }

    /// The bytes of a token; nil for one that is no text.
    func bytes(of id: Int32) -> ArraySlice<UInt8>? {
        guard id >= 0, id < vocabularySize, isText[Int(id)] else { return nil }
        return bytes[Int(offsets[Int(id)])..<Int(offsets[Int(id) + 1])]
    }
}
