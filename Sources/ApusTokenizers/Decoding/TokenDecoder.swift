/// Turns tokens into bytes one after another, with what a vocabulary puts between them.
struct TokenDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipSpecial: Bool
    // Nothing of the text has come yet.
    private var isStart: Bool

    /// - Parameter continuesText: whether text stands before the first token, so that its leading space counts.
    init(_ tokenizer: Tokenizer, skipSpecial: Bool, continuesText: Bool = false) {
        self.tokenizer = tokenizer
        self.skipSpecial = skipSpecial
        isStart = !continuesText
    }

    /// Appends what a token adds to the text.
    mutating func append(_ id: Int32, to bytes: inout [UInt8]) {
        let isSpecial = tokenizer.isSpecial(id)
        guard tokenizer.vocabulary.contains(id), !(isSpecial && skipSpecial) else { return }
        let text = tokenizer.token(id)
        switch tokenizer.decoding {
        case .bytes:
            bytes += text
        case .sentencePiece(_, let stripsLeadingSpace):
            let isSpaced = text.first == UInt8(ascii: " ")
            bytes += isStart && stripsLeadingSpace && isSpaced && !isSpecial ? text.dropFirst() : text[...]
        case .wordPiece:
            let isContinuation = tokenizer.decoding.isContinuation(tokenizer.vocabulary.index.bytes(of: id))
            if !isStart, isSpecial || !isContinuation, !Self.closesUp.contains(text) { bytes.append(UInt8(ascii: " ")) }
            bytes += text
        }
        isStart = false
    }

    // Words that BERT's decoder puts no space before.
    private static let closesUp: Set<[UInt8]> = [
        [UInt8(ascii: ".")], [UInt8(ascii: ",")], [UInt8(ascii: "!")], [UInt8(ascii: "?")],
    ]
}
