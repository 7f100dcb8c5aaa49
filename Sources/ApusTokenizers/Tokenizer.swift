/// Turns text into token ids and back, exactly as the model was trained.
///
/// Texts are bytes: neither what goes in nor what comes out need be valid UTF-8. Loaded from a GGUF file or from a
/// Hugging Face `tokenizer.json`. Thread-safe: immutable.
public final class Tokenizer: Sendable {
    let vocabulary: Vocabulary
    let model: TokenizerModel
    let special: SpecialTokens
    private let added: AddedTokenMatcher
    private let normalizedAdded: AddedTokenMatcher
    let decoding: TokenDecoding

    init(_ parts: TokenizerParts) {
        vocabulary = parts.vocabulary
        model = parts.model
        special = parts.special
        decoding = parts.decoding
        added = AddedTokenMatcher(parts.added.filter { !$0.isNormalized })
        normalizedAdded = AddedTokenMatcher(parts.added.filter(\.isNormalized))
    }

    // MARK: Vocabulary

    /// How many ids there are; ids are 0 up to this number.
    public var vocabularySize: Int { vocabulary.count }
    /// The token that begins a text, if the files name one.
    public var bos: Int32? { special.bos }
    /// The token that ends a text, if the files name one.
    public var eos: Int32? { special.eos }
    /// The token that ends a turn of a conversation, if there is one.
    public var eot: Int32? { special.eot }
    /// Every token that ends a generation: `eos`, `eot` and the others that the files or their well-known texts name.
    public var endOfGeneration: Set<Int32> { special.endOfGeneration }
    /// Whether `encode` begins a text with `bos`.
    public var addsBOS: Bool { special.addsBOS }
    /// Whether `encode` ends a text with `eos`.
    public var addsEOS: Bool { special.addsEOS }

    /// The bytes that a token adds to a text, markers by their name; empty for an id that is not in the vocabulary.
    public func token(_ id: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        decoding.append(id, vocabulary, to: &bytes)
        return bytes
    }

    /// The id of the token with these bytes; nil if there is none.
    public func id(of bytes: [UInt8]) -> Int32? { vocabulary.id(of: bytes) }

    /// The id of the token with this text, for instance `<|im_end|>`; nil if there is none.
    public func id(of text: String) -> Int32? { id(of: Array(text.utf8)) }

    /// Whether a token is a marker and not part of the text.
    public func isSpecial(_ id: Int32) -> Bool { vocabulary.kind(of: id).isSpecial }

    /// Whether an id stands for nothing: a row of the embedding that has a name only.
    package func isUnused(_ id: Int32) -> Bool { vocabulary.kind(of: id) == .unused }

    // MARK: Encoding

    /// The tokens of a text.
    /// - Parameters:
    ///   - text: the text.
    ///   - parseSpecial: whether the names of special tokens in it stand for these tokens; if not, they are text.
    ///   - addSpecial: whether to add what frames a text in this vocabulary (BOS, EOS, CLS, SEP).
    public func encode(_ text: String, parseSpecial: Bool = true, addSpecial: Bool = true) -> [Int32] {
        encode(Array(text.utf8), parseSpecial: parseSpecial, addSpecial: addSpecial)
    }

    /// The tokens of a text given as bytes.
    ///
    /// What is not UTF-8 goes the way of llama.cpp: SentencePiece vocabularies keep the bytes, the others see one
    /// U+FFFD for each. The time is O(n log n).
    /// - Parameters:
    ///   - bytes: the text.
    ///   - parseSpecial: whether the names of special tokens in it stand for these tokens; if not, they are text.
    ///   - addSpecial: whether to add what frames a text in this vocabulary (BOS, EOS, CLS, SEP).
    public func encode(_ bytes: [UInt8], parseSpecial: Bool = true, addSpecial: Bool = true) -> [Int32] {
        encodeCountingSteps(bytes, parseSpecial: parseSpecial, addSpecial: addSpecial).ids
    }

    /// The tokens of a text, and how many steps merging took.
    /// - Parameter remembersPieces: whether pieces that repeat are merged once only, which changes no ids.
    package func encodeCountingSteps(
        _ bytes: [UInt8],
        parseSpecial: Bool,
        addSpecial: Bool,
        remembersPieces: Bool = true
    ) -> (ids: [Int32], stepCount: Int) {
        var ids: [Int32] = addSpecial ? special.prefix : []
        var work = EncodingWorkspace()
        work.pieces.isInUse = remembersPieces
        var isStart = true
        let text = bytes.span
        for part in added.split(text, parsesSpecial: parseSpecial) {
            switch part {
            case .token(let id):
                ids.append(id)
            case .text(let range):
                let context = TextContext(isStart: isStart, parsesSpecial: parseSpecial)
                encode(text.extracting(range), context, &work, &ids)
            }
            isStart = false
        }
        if addSpecial { ids.append(contentsOf: special.suffix) }
        return (ids, work.merger.stepCount)
    }

    /// Encodes what the added tokens left over.
    private func encode(
        _ text: Span<UInt8>,
        _ context: TextContext,
        _ work: inout EncodingWorkspace,
        _ ids: inout [Int32]
    ) {
        let normalized = model.normalized(text, context)
        let span = normalized.span
        for part in normalizedAdded.split(span, parsesSpecial: context.parsesSpecial) {
            switch part {
            case .token(let id): ids.append(id)
            case .text(let range): model.encode(span.extracting(range), vocabulary, &work, &ids)
            }
        }
    }

    // MARK: Decoding

    /// The bytes of a sequence of tokens; ids outside the vocabulary add nothing.
    /// - Parameters:
    ///   - ids: the tokens.
    ///   - skipSpecial: whether markers are left out.
    public func decode(_ ids: [Int32], skipSpecial: Bool = false) -> [UInt8] {
        var decoder = TokenDecoder(self, skipSpecial: skipSpecial)
        var bytes: [UInt8] = []
        for id in ids { decoder.append(id, to: &bytes) }
        return bytes
    }
}

/// Where a part of a text stands, for models that treat the start differently.
struct TextContext: Sendable {
    /// Whether nothing stands before it.
    let isStart: Bool
    let parsesSpecial: Bool
}

/// All a tokenizer is made of; what loaders produce.
struct TokenizerParts: Sendable {
    var vocabulary: Vocabulary
    var model: TokenizerModel
    var added: [AddedToken]
    var special: SpecialTokens
    var decoding: TokenDecoding
}
