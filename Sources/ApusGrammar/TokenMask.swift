/// A set of tokens: which of a vocabulary's may come next.
package struct TokenMask: Sendable, Equatable {
    private var words: [UInt64]
    /// How many ids there are.
    package let vocabularySize: Int

    /// The empty set over ids from 0 up to `vocabularySize`.
    package init(vocabularySize: Int) {
        self.vocabularySize = max(0, vocabularySize)
        words = Array(repeating: 0, count: (self.vocabularySize + 63) / 64)
    }

    /// Whether the set has an id; false for ids outside the vocabulary.
    package func contains(_ id: Int32) -> Bool {
        guard id >= 0, id < vocabularySize else { return false }
        return words[Int(id) >> 6] >> UInt64(id & 63) & 1 == 1
    }

    /// Adds an id; ids outside the vocabulary change nothing.
    package mutating func insert(_ id: Int32) {
        guard id >= 0, id < vocabularySize else { return }
        words[Int(id) >> 6] |= 1 << UInt64(id & 63)
    }

    package mutating func removeAll() {
        for index in words.indices { words[index] = 0 }
    }

    /// How many ids the set has.
    package var count: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }
    package var isEmpty: Bool { words.allSatisfy { $0 == 0 } }

    /// Sets the logits of all tokens outside the set to minus infinity, those beyond the vocabulary too.
    package func apply(to logits: inout MutableSpan<Float>) {
        for word in 0..<(logits.count + 63) / 64 {
            let bits = word < words.count ? words[word] : 0
            guard bits != .max else { continue }
            let start = word << 6
            for index in start..<min(start + 64, logits.count) where bits >> UInt64(index - start) & 1 == 0 {
                logits[index] = -.infinity
            }
        }
    }
}
