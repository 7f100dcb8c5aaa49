import ApusCore
import ApusFormats

/// The tokens of a `tokenizer.json` by id, as spelled: those of the model, and the added ones.
struct JSONVocabularyEntries {
    /// The spellings, one after another.
    private var text: [UInt8] = []
    // Where each id's spelling lies; empty for ids that no token has.
    private var ranges: [Range<Int>] = []
    /// Whether the model has the token.
    private(set) var isInModel: [Bool] = []
    private(set) var added: [AddedToken] = []
    private var addedIDs: [[UInt8]: Int32] = [:]
    private var modelIDs: TokenIndex

    /// How far beyond the number of tokens ids may reach: some files leave gaps.
    private static let largestGap = 65_536

    init(model: JSONValue, added: JSONValue?, rowCount: Int) throws {
        let vocabulary = try model.member("vocab").members()
        let addedTokens = try added?.elements()
        let limit = vocabulary.count + (addedTokens?.count ?? 0) + Self.largestGap
        guard vocabulary.count > 0 else {
            throw ApusError(.malformedFile, "model.vocab: expected at least one token, found 0")
        }
        try TokenizerLimits.check(vocabulary.count, atMost: TokenizerLimits.tokenCount, "model.vocab: tokens")
        try TokenizerLimits.check(addedTokens?.count ?? 0, atMost: TokenizerLimits.tokenCount, "added_tokens: tokens")
        modelIDs = TokenIndex(capacity: 0)
        ranges.reserveCapacity(vocabulary.count)
        for (key, value) in vocabulary {
            let start = text.count
            try key.withStringBytes { text.append(contentsOf: $0) }
            try place(start..<text.count, at: try value.integer(), limit: limit)
        }
        try TokenizerLimits.check(text.count, atMost: TokenizerLimits.textByteCount, "model.vocab: bytes")
        isInModel = ranges.map { !$0.isEmpty }
        for token in addedTokens.map(Array.init) ?? [] where try token.member("id").integer() < rowCount {
            try add(token, limit: limit)
        }
        try TokenizerLimits.check(self.added, "added_tokens")
        isInModel += repeatElement(false, count: ranges.count - isInModel.count)
        try index()
    }

    var count: Int { ranges.count }

    /// A token's spelling; empty for an id that no token has.
    func spelling(_ id: Int) -> [UInt8] { Array(text[ranges[id]]) }

    /// The id of a spelling, an added token's first.
    func id(of spelling: [UInt8]) -> Int32? { addedIDs[spelling] ?? modelIDs.id(of: spelling) }

    /// The added tokens by id.
    func addedByID() -> [Int32: AddedToken] { Dictionary(added.map { ($0.id, $0) }) { _, last in last } }

    private mutating func place(_ range: Range<Int>, at id: Int, limit: Int) throws {
        guard id >= 0, id < limit else {
            throw ApusError(.malformedFile, "model.vocab: expected ids of 0 to \(limit - 1), found \(id)")
        }
        if id >= ranges.count { ranges += repeatElement(0..<0, count: id + 1 - ranges.count) }
        guard ranges[id].isEmpty else {
            throw ApusError(.malformedFile, "model.vocab: expected one token for each id, found two for \(id)")
        }
        ranges[id] = range
    }

    private mutating func add(_ token: JSONValue, limit: Int) throws {
        let content = Array(try token.member("content").string().utf8)
        let id = try token.member("id").integer()
        let isKnown = id >= 0 && id < ranges.count && !ranges[id].isEmpty
        if isKnown {
            guard text[ranges[id]].elementsEqual(content) else {
                throw ApusError(
                    .malformedFile,
                    "added_tokens: expected \(spelling(id).shownInMessage) for id \(id), found \(content.shownInMessage)"
                )
            }
        } else {
            let start = text.count
            text += content
            try place(start..<text.count, at: id, limit: limit)
        }
        var entry = AddedToken(
            id: Int32(truncatingIfNeeded: id),
            bytes: content,
            isSpecial: try token.flag("special", default: false)
        )
        entry.stripsLeft = try token.flag("lstrip", default: false)
        entry.stripsRight = try token.flag("rstrip", default: false)
        entry.isSingleWord = try token.flag("single_word", default: false)
        entry.isNormalized = try token.flag("normalized", default: !entry.isSpecial)
        added.append(entry)
        addedIDs[content] = entry.id
    }

    private mutating func index() throws {
        modelIDs = TokenIndex(capacity: count, byteCapacity: text.count)
        for id in 0..<count {
            modelIDs.append(spelling(id))
            guard isInModel[id] else { continue }
            if let owner = modelIDs.makeFindable(Int32(truncatingIfNeeded: id)) {
                throw ApusError(
                    .malformedFile,
                    "model.vocab: expected one id for each token, found \(owner) and \(id) for "
                        + spelling(id).shownInMessage
                )
            }
        }
    }
}
