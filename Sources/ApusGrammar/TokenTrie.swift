package import ApusTokenizers

/// The bytes of all tokens of a vocabulary, arranged for masks.
///
/// A parser that cannot take a byte skips all tokens that go on like that, and one that can take any plain character
/// looks only at the other tokens. A special token is its name behind a byte that no text has, so a grammar allows it
/// where it names it and nowhere else. Made once for a model and shared. Thread-safe: immutable.
package final class TokenTrie: Sendable {
    /// All tokens.
    let all: TokenTree
    /// Those that aren't plain, or longer than `PlainCharacters.longestRun`.
    let others: TokenTree
    /// The plain tokens with at most so many characters.
    let plain: [TokenMask]
    private let texts: TokenTexts
    private let isText: [Bool]
    /// How many ids the vocabulary has.
    package let vocabularySize: Int
    /// The tokens that end a text.
    package let endOfGeneration: Set<Int32>

    /// Longer tokens are never offered.
    private static let longestToken = 1_024

    /// What stands before the names of special tokens.
    static let specialMark: UInt8 = 0xFF

    /// Collects a vocabulary's tokens.
    package convenience init(_ tokenizer: Tokenizer) {
        let ids = 0..<Int32(truncatingIfNeeded: tokenizer.vocabularySize)
        self.init(
            tokens: ids.map { (tokenizer.isSpecial($0) ? [Self.specialMark] : []) + tokenizer.token($0) },
            endOfGeneration: tokenizer.endOfGeneration
        )
    }

    /// Collects tokens given by their bytes; those without bytes and those that end a text are no text.
    package init(tokens: [[UInt8]], endOfGeneration: Set<Int32>) {
        vocabularySize = tokens.count
        self.endOfGeneration = endOfGeneration
        var texts = TokenTexts()
        for text in tokens { texts.append(text) }
        self.texts = texts
        isText = tokens.enumerated().map { id, text in
            !text.isEmpty && text.count <= Self.longestToken
                && !endOfGeneration.contains(Int32(truncatingIfNeeded: id))
        }
        let isText = isText
        let order = texts.sorted((0..<Int32(truncatingIfNeeded: tokens.count)).filter { isText[Int($0)] })
        all = TokenTree(order, texts)
        var others: [Int32] = []
        var byLength = [[Int32]](repeating: [], count: PlainCharacters.longestRun + 1)
        for id in order {
            if let count = PlainCharacters.count(texts[id]) { byLength[count].append(id) } else { others.append(id) }
        }
        self.others = TokenTree(others, texts)
        var mask = TokenMask(vocabularySize: tokens.count)
        plain = byLength.map { ids in
            for id in ids { mask.insert(id) }
            return mask
        }
    }

    /// How many bytes it takes in memory.
    package var byteCount: Int {
        let nodes = (all.nodes.count + others.nodes.count) * MemoryLayout<TokenTree.Node>.stride
        let masks = plain.count * (vocabularySize / 8)
        return nodes + masks + 4 * (all.tokens.count + others.tokens.count + vocabularySize) + texts.byteCount
    }

    /// The bytes of a token; nil for one that is no text.
    func bytes(of id: Int32) -> ArraySlice<UInt8>? {
        guard id >= 0, id < vocabularySize, isText[Int(id)] else { return nil }
        return texts[id]
    }
}
