/// SentencePiece's byte-pair encoding ("SentencePiece: A simple and language independent subword tokenizer", section
/// 3): spaces are written as U+2581, the characters of the whole text merge, and what is not in the vocabulary falls
/// back to byte tokens.
struct SentencePieceModel: Sendable {
    /// When a space is put before a text.
    enum SpacePrefix: Sendable {
        case never
        /// Before every part of a text between added tokens.
        case always
        /// Before every part that doesn't start with a space.
        case unlessSpaced
        /// Before a text that doesn't start with a space, but not after an added token.
        case firstUnlessSpaced
    }

    /// What decides the order of merging.
    enum Order: Sendable {
        /// The rank of the joined token, as in SentencePiece's own models.
        case tokens
        /// A table of merges, as in `tokenizer.json`.
        case merges(MergeTable)
    }

    let spacePrefix: SpacePrefix
    /// Whether runs of spaces count as one, and those at the ends not at all.
    let collapsesSpaces: Bool
    /// Whether merges stop before each U+2581.
    let splitsWords: Bool
    let normalization: Normalization
    let order: Order
    /// Whether a piece that is a token stays whole even if no merges lead to it.
    let keepsWholePieces: Bool
    /// The token of each byte; negative where the vocabulary has none.
    let byteTokens: [Int32]
    /// What stands for a character or byte without a token; without it, such text vanishes, as in the references.
    let unknown: Int32?
    /// Whether neighbouring unknown characters become one token.
    let fusesUnknown: Bool
    /// For each byte, whether a U+2581 after it may merge with it; where it may not, a text falls into parts of its own.
    let joins: [Bool]

    /// U+2581, which stands for a space.
    static let spaceMark: [UInt8] = [0xE2, 0x96, 0x81]
    private static let space = UInt8(ascii: " ")

    /// What `joins` is for a vocabulary.
    static func joins(in vocabulary: Vocabulary, byteTokens: [Int32], fusesUnknown: Bool) -> [Bool] {
        let all = [Bool](repeating: true, count: 256)
        let fallsBack = byteTokens.allSatisfy { $0 >= 0 }
        // Unknown characters would fuse across parts, and a mark that is no token could merge from its bytes.
        guard fallsBack || !fusesUnknown, vocabulary.index.id(of: spaceMark) != nil else { return all }
        let joins = vocabulary.index.bytesPreceding(spaceMark)
        // A token's "<0x41>" may stand for the byte, whatever byte that is.
        let beforeName = vocabulary.index.bytesPreceding(Array(">".utf8) + spaceMark)
        let joinsBytes = "0123456789ABCDEF".utf8.contains { beforeName[Int($0)] }
        return joinsBytes ? all : joins
    }

    /// The text with its spaces marked.
    func normalized(_ text: Span<UInt8>, _ context: TextContext) -> [UInt8] {
        let bytes = normalization.apply(to: text)
        var words = bytes[...]
        if collapsesSpaces {
            while words.first == Self.space { words.removeFirst() }
            while words.last == Self.space { words.removeLast() }
        }
        var result: [UInt8] = []
        result.reserveCapacity(words.count * 2 + Self.spaceMark.count)
        if addsSpace(before: words, context) { result += Self.spaceMark }
        var previous: UInt8 = 0
        for byte in words {
            if byte != Self.space {
                result.append(byte)
            } else if !collapsesSpaces || previous != Self.space {
                result += Self.spaceMark
            }
            previous = byte
        }
        return result
    }

    private func addsSpace(before words: ArraySlice<UInt8>, _ context: TextContext) -> Bool {
        let isSpaced = words.first == Self.space || words.starts(with: Self.spaceMark)
        switch spacePrefix {
        case .never: return false
        case .always: return !words.isEmpty
        case .unlessSpaced: return !words.isEmpty && !isSpaced
        case .firstUnlessSpaced: return context.isStart && !words.isEmpty && !isSpaced
        }
    }

    /// Appends the tokens of a text with marked spaces.
    func encode(
        _ text: Span<UInt8>,
        _ vocabulary: Vocabulary,
        _ work: inout EncodingWorkspace,
        _ ids: inout [Int32]
    ) {
        work.pieces.begin(textByteCount: text.count)
        var start = 0
        while start < text.count {
            let end = splitsWords ? wordEnd(in: text, from: start) : text.count
            encodePiece(text, start, end, vocabulary, &work, &ids)
            start = end
        }
    }

    /// Where the word that starts at a position ends: before the next space mark.
    private func wordEnd(in text: Span<UInt8>, from start: Int) -> Int {
        var end = start + 1
        while end < text.count {
            if Self.isSpaceMark(text, end) { return end }
            end += 1
        }
        return end
    }

    @inline(__always)
    private static func isSpaceMark(_ text: Span<UInt8>, _ position: Int) -> Bool {
        text[position] == 0xE2 && position + 2 < text.count && text[position + 1] == 0x96 && text[position + 2] == 0x81
    }

    private func encodePiece(
        _ text: Span<UInt8>,
        _ start: Int,
        _ end: Int,
        _ vocabulary: Vocabulary,
        _ work: inout EncodingWorkspace,
        _ ids: inout [Int32]
    ) {
        if keepsWholePieces, let id = vocabulary.index.id(of: text, start, end - start) {
            ids.append(id)
            return
        }
        var partStart = start
        var position = start
        while position < end {
            if position > partStart, Self.isSpaceMark(text, position), !joins[Int(text[position - 1])] {
                encodePart(text, partStart, position, vocabulary, &work, &ids)
                partStart = position
            }
            position += Self.characterLength(lead: text[position])
        }
        encodePart(text, partStart, end, vocabulary, &work, &ids)
    }

    /// Encodes a part of a piece that merges don't lead out of.
    private func encodePart(
        _ text: Span<UInt8>,
        _ start: Int,
        _ end: Int,
        _ vocabulary: Vocabulary,
        _ work: inout EncodingWorkspace,
        _ ids: inout [Int32]
    ) {
        if work.pieces.recall(text, start, end, &ids) { return }
        let idStart = ids.count
        let part = text.extracting(start..<end)
        work.merger.removeAll()
        fill(&work.merger, part, vocabulary)
        switch order {
        case .tokens: work.merger.run(TokenRanking(vocabulary: vocabulary), on: part)
        case .merges(let table): work.merger.run(TableRanking(table: table), on: part)
        }
        var follower = false
        for symbol in work.merger.symbols where symbol.byteCount > 0 {
            if symbol.id >= 0 {
                ids.append(symbol.id)
                follower = false
            } else if !(fusesUnknown && follower) {
                follower = appendBytes(of: symbol, part, &ids)
            }
        }
        work.pieces.remember(start, end, idStart: idStart, ids)
    }

    /// Adds a symbol for each character.
    ///
    /// Without a table, a character outside the vocabulary stays whole until the end,
    /// since joined texts are looked up; with one, its bytes are symbols that a table may merge.
    private func fill(_ merger: inout PairMerger, _ text: Span<UInt8>, _ vocabulary: Vocabulary) {
        var position = 0
        while position < text.count {
            let length = min(Self.characterLength(lead: text[position]), text.count - position)
            let bytes = position..<position + length
            let id = vocabulary.index.id(of: text, position, length)
            if case .merges = order, id == nil, bytes.allSatisfy({ byteTokens[Int(text[$0])] >= 0 }) {
                for byte in bytes { merger.append(id: byteTokens[Int(text[byte])], start: byte, byteCount: 1) }
            } else {
                merger.append(id: id ?? -1, start: position, byteCount: length)
            }
            position += length
        }
    }

    /// The length the lead byte claims, valid or not: broken UTF-8 falls back to bytes anyway.
    @inline(__always)
    private static func characterLength(lead: UInt8) -> Int {
        lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
    }

    /// Appends what stands for a symbol outside the vocabulary.
    /// - Returns: whether that was the unknown token.
    private func appendBytes(of symbol: Symbol, _ text: Span<UInt8>, _ ids: inout [Int32]) -> Bool {
        let bytes = symbol.start..<symbol.start + symbol.byteCount
        if bytes.allSatisfy({ byteTokens[Int(text[$0])] >= 0 }) {
            for byte in bytes { ids.append(byteTokens[Int(text[byte])]) }
            return false
        }
        if let unknown { ids.append(unknown) }
        return true
    }
}

/// Ranks pairs by the token their joined text is.
private struct TokenRanking: PairRanking {
    let vocabulary: Vocabulary

    func merge(_ left: Symbol, _ right: Symbol, in piece: Span<UInt8>) -> Merge? {
        guard let id = vocabulary.index.id(of: piece, left.start, left.byteCount + right.byteCount),
            Int(id) < vocabulary.ranks.count
        else { return nil }
        return Merge(rank: vocabulary.ranks[Int(id)], id: id)
    }
}

/// Ranks pairs by a table.
private struct TableRanking: PairRanking {
    let table: MergeTable

    func merge(_ left: Symbol, _ right: Symbol, in piece: Span<UInt8>) -> Merge? {
        left.id >= 0 && right.id >= 0 ? table.merge(left.id, right.id) : nil
    }
}
