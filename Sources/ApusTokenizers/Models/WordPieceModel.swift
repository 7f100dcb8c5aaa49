/// BERT's WordPiece ("Google's Neural Machine Translation System", section 4.1; "BERT", section 4): words are split at
/// white space and punctuation, and each is covered from the left by the longest tokens.
struct WordPieceModel: Sendable {
    /// What BERT does to a text before it looks for words.
    struct Cleaning: Sendable {
        /// Whether control characters go and white space becomes a space.
        var cleansText = true
        /// Whether each Chinese character is a word of its own.
        var splitsChinese = true
        var stripsAccents = true
        var lowercases = true
    }

    let cleaning: Cleaning
    /// What the tokens inside words begin with.
    let continuationPrefix: [UInt8]
    let unknown: Int32
    /// Longer words, in characters, are unknown.
    let longestWord: Int

    private static let space: UInt32 = 0x20

    /// The cleaned text.
    func normalized(_ text: Span<UInt8>) -> [UInt8] {
        let classes = BertClass.table
        var scalars: [UInt32] = []
        for scalar in ScalarText(text).scalars {
            let flags = BertClass(rawValue: classes[scalar])
            if cleaning.cleansText, flags.contains(.removed) { continue }
            if cleaning.cleansText, flags.contains(.space) {
                scalars.append(Self.space)
            } else if cleaning.splitsChinese, flags.contains(.chinese) {
                scalars += [Self.space, scalar, Self.space]
            } else {
                scalars.append(scalar)
            }
        }
        if cleaning.stripsAccents {
            scalars = CanonicalForm.nfd(scalars).filter { !BertClass(rawValue: classes[$0]).contains(.accent) }
        }
        if cleaning.lowercases { scalars = LowerCase.apply(to: scalars) }
        return ScalarText(scalars: scalars).utf8
    }

    /// Appends the tokens of a cleaned text.
    func encode(_ text: Span<UInt8>, _ vocabulary: Vocabulary, _ work: inout EncodingWorkspace, _ ids: inout [Int32]) {
        let scalars = ScalarText(text)
        let bytes = scalars.utf8
        let classes = BertClass.table
        var word = 0..<0
        var characterCount = 0
        var position = 0
        func endWord() {
            if !word.isEmpty { cover(bytes, word, characterCount, vocabulary, &work, &ids) }
        }
        for index in 0..<scalars.count {
            let length = UTF8Scanner.length(of: scalars.scalars[index])
            let isSpace = scalars.classes[index].contains(.space)
            let isPunctuation = BertClass(rawValue: classes[scalars.scalars[index]]).contains(.punctuation)
            if isSpace || isPunctuation {
                endWord()
                if isPunctuation { cover(bytes, position..<position + length, 1, vocabulary, &work, &ids) }
                word = position + length..<position + length
                characterCount = 0
            } else {
                word = word.lowerBound..<position + length
                characterCount += 1
            }
            position += length
        }
        endWord()
    }

    /// Covers a word with the longest tokens from the left, or gives it up as unknown.
    private func cover(
        _ bytes: [UInt8],
        _ word: Range<Int>,
        _ characterCount: Int,
        _ vocabulary: Vocabulary,
        _ work: inout EncodingWorkspace,
        _ ids: inout [Int32]
    ) {
        guard characterCount <= longestWord else {
            ids.append(unknown)
            return
        }
        var pieces: [Int32] = []
        var start = word.lowerBound
        while start < word.upperBound {
            let prefix = start == word.lowerBound ? [] : continuationPrefix
            let candidate = prefix + bytes[start..<min(word.upperBound, start + vocabulary.index.longestByteCount)]
            var count = candidate.count
            var piece: Int32?
            while count > prefix.count, piece == nil {
                work.merger.countStep()
                piece = vocabulary.index.id(of: candidate.span, 0, count)
                if piece == nil { count -= 1 }
            }
            guard let piece else {
                ids.append(unknown)
                return
            }
            pieces.append(piece)
            start += count - prefix.count
        }
        ids += pieces
    }
}
