import ApusCore
import ApusFormats

/// Reads `tokenizer.ggml.*`.
struct GGUFTokenizerReader {
    let metadata: GGUFMetadata
    let model: String
    let tokens: GGUFStringArray

    static let prefix = "tokenizer.ggml."

    init(_ metadata: GGUFMetadata) throws {
        self.metadata = metadata
        model = try metadata.string(Self.prefix + "model")
        tokens = try metadata.strings(Self.prefix + "tokens")
        guard !tokens.isEmpty, tokens.count <= TokenizerLimits.tokenCount else {
            let expected = "1 to \(TokenizerLimits.tokenCount) tokens"
            throw malformed("tokens", expected: expected, found: "\(tokens.count)")
        }
        let field = "\(metadata.path): metadata \"\(Self.prefix)tokens\": bytes"
        try TokenizerLimits.check(tokens.byteCount, atMost: TokenizerLimits.textByteCount, field)
    }

    /// Everything the file says, checked.
    func parts(endOfGeneration: [Int32]) throws -> TokenizerParts {
        switch model {
        case "gpt2": try bytePairParts(endOfGeneration)
        case "llama": try sentencePieceParts(endOfGeneration)
        case "bert": try wordPieceParts(endOfGeneration)
        default:
            throw ApusError(
                .unsupported,
                "\(metadata.path): metadata \"\(Self.prefix)model\": expected \"gpt2\", \"llama\" or \"bert\", "
                    + "found \(model.debugDescription)"
            )
        }
    }

    // MARK: Pieces

    /// Every token's kind: as the file says, `normal` where it says nothing.
    func kinds() throws -> [TokenKind] {
        let key = Self.prefix + "token_type"
        guard let types = try metadata.integersIfPresent(key) else {
            return Array(repeating: .normal, count: tokens.count)
        }
        guard types.count == tokens.count else {
            throw malformed("token_type", expected: "\(tokens.count) entries", found: "\(types.count)")
        }
        // Type 0 is "undefined", which llama.cpp takes for text that is never produced.
        return types.map { TokenKind(rawValue: UInt8(clamping: $0)) ?? .unused }
    }

    /// Calls `body` with every token's bytes.
    func forEachToken(_ body: (Int, [UInt8]) throws -> Void) throws {
        var bytes: [UInt8] = []
        for id in tokens.indices {
            bytes.removeAll(keepingCapacity: true)
            tokens.withBytes(at: id) { bytes.append(contentsOf: $0) }
            try body(id, bytes)
        }
    }

    /// The id in a field; nil if the field is missing.
    func id(_ name: String) throws -> Int32? {
        guard let value = try metadata.integerIfPresent(Self.prefix + name) else { return nil }
        guard value >= 0, value < tokens.count else {
            throw malformed(name, expected: "0 to \(tokens.count - 1)", found: "\(value)")
        }
        return Int32(truncatingIfNeeded: value)
    }

    func flag(_ name: String) throws -> Bool? { try metadata.boolIfPresent(Self.prefix + name) }

    /// The tokens with a role.
    /// - Parameters:
    ///   - vocabulary: where the tokens are; kinds of markers found by their text are set.
    ///   - defaults: ids for fields the file does not have.
    func specialTokens(
        in vocabulary: inout Vocabulary,
        defaults: SpecialTokens,
        endOfGeneration: [Int32]
    ) throws -> SpecialTokens {
        var special = defaults
        special.bos = try id("bos_token_id") ?? defaults.bos.flatMap { vocabulary.contains($0) ? $0 : nil }
        special.eos = try id("eos_token_id") ?? defaults.eos.flatMap { vocabulary.contains($0) ? $0 : nil }
        special.unknown = try id("unknown_token_id") ?? defaults.unknown.flatMap { vocabulary.contains($0) ? $0 : nil }
        special.eot = try id("eot_token_id")
        special.eom = try id("eom_token_id")
        special.addsBOS = try flag("add_bos_token") ?? defaults.addsBOS
        special.addsEOS = try flag("add_eos_token") ?? defaults.addsEOS
        special.endOfGeneration.formUnion(endOfGeneration.filter(vocabulary.contains))
        var markers: [Int32] = []
        special.deriveEnds(from: vocabulary) { markers.append($0) }
        for id in markers { vocabulary.setKind(.control, of: id) }
        if special.addsBOS, let bos = special.bos { special.prefix = [bos] }
        if special.addsEOS, let eos = special.eos { special.suffix = [eos] }
        return special
    }

    /// Markers and user-defined tokens, which are matched whole.
    func addedTokens(in vocabulary: Vocabulary) throws -> [AddedToken] {
        // Phi-3's markers swallow the white space after them; GGUF has no field that says so.
        let name = try metadata.stringIfPresent("general.name")?.lowercased() ?? ""
        let isPhi3 = name.contains("phi-3") || name.contains("phi3")
        let keepSpace = ["<unk>", "<s>", "<|endoftext|>"].map { Array($0.utf8) }
        let added: [AddedToken] = (0..<vocabulary.count).compactMap { index in
            let id = Int32(truncatingIfNeeded: index)
            let kind = vocabulary.kind(of: id)
            guard kind.isSpecial || kind == .userDefined else { return nil }
            let bytes = Array(vocabulary.index.bytes(of: id))
            var token = AddedToken(id: id, bytes: bytes, isSpecial: kind.isSpecial)
            token.stripsRight = isPhi3 && !keepSpace.contains(bytes)
            return token
        }
        try TokenizerLimits.check(added, "\(metadata.path): metadata \"\(Self.prefix)token_type\"")
        return added
    }

    func malformed(_ name: String, expected: String, found: String) -> ApusError {
        let field = "metadata \"\(Self.prefix)\(name)\""
        return ApusError(.malformedFile, "\(metadata.path): \(field): expected \(expected), found \(found)")
    }
}
