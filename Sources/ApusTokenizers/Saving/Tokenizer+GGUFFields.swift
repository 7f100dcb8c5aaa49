import ApusCore
package import ApusFormats

extension Tokenizer {
    /// The tokenizer as GGUF metadata keeps it ("GGUF file format", `tokenizer.ggml.*`), which llama.cpp reads too.
    ///
    /// GGUF has no place for a canonical form before the cut into pieces, for added tokens that swallow the white space
    /// beside them, and for the ways in which a `tokenizer.json` may leave out the first space: those are what
    /// llama.cpp's own converter leaves out.
    /// - Parameter count: how many rows the model's embedding has. Ids beyond the vocabulary get names that no text leads
    ///   to, tokens beyond the embedding are left out.
    /// - Throws: `ApusError` (`unsupported`) for a tokenizer that GGUF cannot describe.
    package func ggufFields(count: Int) throws -> [(key: String, value: GGUFHeader.Value)] {
        try TokenizerLimits.check(count, atMost: TokenizerLimits.tokenCount, "rows of the embedding")
        let fields: [(String, GGUFHeader.Value)] =
            switch model {
            case .bytePair(let model): try bytePairFields(model, count: count)
            case .sentencePiece(let model): try sentencePieceFields(model, count: count)
            case .wordPiece: throw ApusError(.unsupported, "tokenizer: expected BPE or SentencePiece, found WordPiece")
            }
        return (fields + (try roleFields(count: count))).map { (GGUFTokenizerReader.prefix + $0.0, $0.1) }
    }

    private func bytePairFields(_ model: BytePairModel, count: Int) throws -> [(String, GGUFHeader.Value)] {
        guard PreTokenizer(named: model.preTokenizer.name) != nil else {
            let known = PreTokenizer.all.map(\.name).joined(separator: ", ")
            throw ApusError(
                .unsupported,
                "tokenizer: expected a pre-tokenizer that GGUF has a name for (\(known)), found another"
            )
        }
        guard model.keepsWholePieces == (model.preTokenizer == .llamaBPE) else {
            throw ApusError(
                .unsupported,
                "tokenizer: expected ignore_merges \(!model.keepsWholePieces) for pre-tokenizer \(model.preTokenizer.name), "
                    + "found \(model.keepsWholePieces)"
            )
        }
        let vocabulary = vocabulary
        func spelling(_ id: Int32) -> String {
            let bytes = vocabulary.index.bytes(of: id)
            let isSpelled = vocabulary.index.isText(id) && vocabulary.kind(of: id) != .userDefined
            return isSpelled ? ByteAlphabet.spelling(of: bytes) : String(decoding: bytes, as: UTF8.self)
        }
        let merges = model.merges.ordered.filter { max($0.left, $0.right, $0.merge.id) < count }
        return [
            ("model", .string("gpt2")), ("pre", .string(model.preTokenizer.name)),
            ("tokens", .strings(names(count: count, spelling))),
            ("token_type", .int32s(kinds(count: count) { vocabulary.kind(of: $0) })),
            ("merges", .strings(merges.map { spelling($0.left) + " " + spelling($0.right) })),
        ]
    }

    private func sentencePieceFields(_ model: SentencePieceModel, count: Int) throws -> [(String, GGUFHeader.Value)] {
        guard !model.splitsWords else {
            throw ApusError(.unsupported, "tokenizer: expected Metaspace that merges across words, found split true")
        }
        let vocabulary = vocabulary
        let bytes = Set(model.byteTokens)
        return [
            ("model", .string("llama")), ("pre", .string("default")),
            (
                "tokens",
                .strings(names(count: count) { String(decoding: vocabulary.index.bytes(of: $0), as: UTF8.self) })
            ),
            ("scores", .float32s(try scores(model.order, count: count))),
            (
                "token_type",
                .int32s(
                    kinds(count: count) { id in
                        id == model.unknown ? .unknown : bytes.contains(id) ? .byte : vocabulary.kind(of: id)
                    }
                )
            ),
            ("add_space_prefix", .bool(model.spacePrefix != .never)),
        ]
    }

    /// The tokens' spellings, with llama.cpp's names for rows of the embedding that have no token.
    private func names(count: Int, _ spelling: (Int32) -> String) -> [String] {
        (0..<count).map { id in
            let name = id < vocabulary.count ? spelling(Int32(truncatingIfNeeded: id)) : ""
            return name.isEmpty ? "[PAD\(id)]" : name
        }
    }

    private func kinds(count: Int, _ kind: (Int32) -> TokenKind) -> [Int32] {
        (0..<count).map { Int32((vocabulary.contains(Int32($0)) ? kind(Int32($0)) : .unused).rawValue) }
    }

    /// SentencePiece's scores, of which only the order counts: tokens that merge early score high.
    /// - Throws: `ApusError` (`unsupported`) where one token merges in two turns, which scores cannot say: the merges were
    ///   not made from a SentencePiece model.
    private func scores(_ order: SentencePieceModel.Order, count: Int) throws -> [Float] {
        guard case .merges(let table) = order else {
            return (0..<count).map { -Float($0 < vocabulary.ranks.count ? vocabulary.ranks[$0] : .max) }
        }
        var turns = [Int?](repeating: nil, count: vocabulary.count)
        var turn = 0
        for (_, _, merge) in table.ordered {
            let id = Int(merge.id)
            if turns[id] == nil {
                turn += 1
                turns[id] = turn
            }
            guard turns[id] == turn else {
                throw ApusError(
                    .unsupported,
                    "tokenizer: expected merges in the order of a SentencePiece model's tokens, found merge \(merge.rank) "
                        + "to make token \(id) again"
                )
            }
        }
        // What nothing merges to comes last: markers, bytes and single characters.
        return (0..<count).map { -Float((vocabulary.contains(Int32($0)) ? turns[$0] : nil) ?? turn + 1) }
    }

    private func roleFields(count: Int) throws -> [(String, GGUFHeader.Value)] {
        // Without tokenizer_config.json, what frames a text is all that tells of these two.
        let bos = special.bos ?? special.prefix.first
        let eos = special.eos ?? special.suffix.first
        guard special.prefix.allSatisfy({ $0 == bos }), special.prefix.count <= 1,
            special.suffix.allSatisfy({ $0 == eos }), special.suffix.count <= 1
        else {
            throw ApusError(.unsupported, "tokenizer: expected texts framed by BOS and EOS at most, found others")
        }
        let roles = [
            ("bos_token_id", bos), ("eos_token_id", eos), ("eot_token_id", special.eot), ("eom_token_id", special.eom),
            ("unknown_token_id", special.unknown),
        ]
        let ids = roles.compactMap { name, id -> (String, GGUFHeader.Value)? in
            guard let id, id < count else { return nil }
            return (name, .uint32(UInt32(bitPattern: id)))
        }
        let frames = [("add_bos_token", special.prefix), ("add_eos_token", special.suffix)]
        return ids + frames.map { ($0, .bool(!$1.isEmpty)) }
    }
}
