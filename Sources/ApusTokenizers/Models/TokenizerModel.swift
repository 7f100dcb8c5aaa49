/// How a text becomes tokens, once added tokens are out of it.
enum TokenizerModel: Sendable {
    case bytePair(BytePairModel)
    case sentencePiece(SentencePieceModel)
    case wordPiece(WordPieceModel)

    /// The text in the form the vocabulary was trained on.
    func normalized(_ text: Span<UInt8>, _ context: TextContext) -> [UInt8] {
        switch self {
        case .bytePair(let model): model.normalized(text)
        case .sentencePiece(let model): model.normalized(text, context)
        case .wordPiece(let model): model.normalized(text)
        }
    }

    /// Appends the tokens of a normalized text.
    func encode(_ text: Span<UInt8>, _ vocabulary: Vocabulary, _ work: inout EncodingWorkspace, _ ids: inout [Int32]) {
        switch self {
        case .bytePair(let model): model.encode(text, vocabulary, &work, &ids)
        case .sentencePiece(let model): model.encode(text, vocabulary, &work, &ids)
        case .wordPiece(let model): model.encode(text, vocabulary, &work, &ids)
        }
    }
}
