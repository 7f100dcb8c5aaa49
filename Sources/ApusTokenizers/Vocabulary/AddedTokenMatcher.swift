/// Finds added tokens in a text: the leftmost match first, of those the longest.
struct AddedTokenMatcher: Sendable {
    /// A part of a text: an added token, or bytes for the model.
    enum Part {
        case token(Int32)
        case text(Range<Int>)
    }

    private let tokens: [AddedToken]
    // A trie: children by node and byte, and for each node the token that ends there.
    private var children: [UInt64: Int32] = [:]
    private var textTokens: [Int32] = [-1]
    private var specialTokens: [Int32] = [-1]
    private var isFirstByte = [Bool](repeating: false, count: 256)

    init(_ tokens: [AddedToken]) {
        self.tokens = tokens
        for (index, token) in tokens.enumerated() {
            guard let first = token.bytes.first else { continue }
            isFirstByte[Int(first)] = true
            insert(token, Int32(truncatingIfNeeded: index))
        }
    }

    var isEmpty: Bool { children.isEmpty }

    private mutating func insert(_ token: AddedToken, _ index: Int32) {
        var node = 0
        for byte in token.bytes {
            let key = Self.key(node, byte)
            if let child = children[key] {
                node = Int(child)
            } else {
                children[key] = Int32(truncatingIfNeeded: textTokens.count)
                node = textTokens.count
                textTokens.append(-1)
                specialTokens.append(-1)
            }
        }
        if token.isSpecial { specialTokens[node] = index } else { textTokens[node] = index }
    }

    private static func key(_ node: Int, _ byte: UInt8) -> UInt64 { UInt64(node) << 8 | UInt64(byte) }

    /// Cuts a text into added tokens and the parts between them, none of them empty.
    func split(_ text: Span<UInt8>, parsesSpecial: Bool) -> [Part] {
        guard !isEmpty else { return text.isEmpty ? [] : [.text(0..<text.count)] }
        var parts: [Part] = []
        var textStart = 0
        var position = 0
        while position < text.count {
            guard isFirstByte[Int(text[position])],
                let token = longestMatch(in: text, at: position, parsesSpecial: parsesSpecial)
            else {
                position += 1
                continue
            }
            let end = position + token.bytes.count
            if token.isSingleWord, text.hasWordCharacter(before: position) || text.hasWordCharacter(at: end) {
                position = end
                continue
            }
            let start = token.stripsLeft ? text.spaceStart(before: position, notBefore: textStart) : position
            if textStart < start { parts.append(.text(textStart..<start)) }
            parts.append(.token(token.id))
            textStart = token.stripsRight ? text.spaceEnd(after: end) : end
            position = textStart
        }
        if textStart < text.count { parts.append(.text(textStart..<text.count)) }
        return parts
    }

    private func longestMatch(in text: Span<UInt8>, at start: Int, parsesSpecial: Bool) -> AddedToken? {
        var node = 0
        var match: Int32 = -1
        var position = start
        while position < text.count, let child = children[Self.key(node, text[position])] {
            node = Int(child)
            position += 1
            if textTokens[node] >= 0 { match = textTokens[node] }
            if parsesSpecial, specialTokens[node] >= 0 { match = specialTokens[node] }
        }
        return match >= 0 ? tokens[Int(match)] : nil
    }
}

extension Span<UInt8> {
    private func classAndLength(at position: Int) -> (CharacterClass, Int) {
        let (scalar, length) = UTF8Scanner.decode(self, at: position, end: count) ?? (UTF8Scanner.replacement, 1)
        return (CharacterClass(rawValue: CharacterClass.table[scalar]), length)
    }

    /// Where the character that ends before a position starts.
    private func characterStart(before position: Int) -> Int {
        var start = position - 1
        while start > 0, position - start < 4, self[start] & 0xC0 == 0x80 { start -= 1 }
        return start
    }

    fileprivate func hasWordCharacter(at position: Int) -> Bool {
        guard position < count else { return false }
        let isConnector = self[position] == UInt8(ascii: "_")
        return isConnector || !classAndLength(at: position).0.isDisjoint(with: [.letter, .number, .mark])
    }

    fileprivate func hasWordCharacter(before position: Int) -> Bool {
        position > 0 && hasWordCharacter(at: characterStart(before: position))
    }

    /// The end of the white space that starts at a position.
    fileprivate func spaceEnd(after position: Int) -> Int {
        var end = position
        while end < count {
            let (characterClass, length) = classAndLength(at: end)
            guard characterClass.contains(.space) else { break }
            end += length
        }
        return end
    }

    /// The start of the white space that ends at a position.
    fileprivate func spaceStart(before position: Int, notBefore limit: Int) -> Int {
        var start = position
        while start > limit {
            let character = characterStart(before: start)
            guard character >= limit, classAndLength(at: character).0.contains(.space) else { break }
            start = character
        }
        return start
    }
}
