import ApusCore
import ApusFormats

/// Reads `tokenizer.json`.
struct JSONTokenizerReader {
    let path: String
    let root: JSONValue
    let config: JSONValue?
    let model: JSONValue
    let entries: JSONVocabularyEntries

    init(path: String, root: JSONValue, config: JSONValue?, rowCount: Int) throws {
        self.path = path
        self.root = root
        self.config = config
        model = try root.member("model")
        entries = try JSONVocabularyEntries(
            model: model,
            added: try root.memberIfPresent("added_tokens"),
            rowCount: rowCount
        )
    }

    /// Everything the file says, checked.
    func parts(endOfGeneration: [Int32]) throws -> TokenizerParts {
        let type = try model.memberIfPresent("type")?.string() ?? "BPE"
        switch type {
        case "BPE":
            let chain = try JSONPreTokenizerChain(try root.memberIfPresent("pre_tokenizer"))
            return try chain.isByteLevel
                ? bytePairParts(chain, endOfGeneration) : sentencePieceParts(chain, endOfGeneration)
        case "WordPiece": return try wordPieceParts(endOfGeneration)
        default:
            throw ApusError(
                .unsupported,
                "\(path): model.type: expected \"BPE\" or \"WordPiece\", found \(type.debugDescription)"
            )
        }
    }

    /// A member of the model that Apus can only do without.
    func refuse(_ name: String) throws {
        guard let value = try model.memberIfPresent(name), try value.string() != "" else { return }
        throw ApusError(.unsupported, "\(path): model.\(name): expected nothing, found \(try value.string())")
    }

    /// The id of the model's unknown token, if it names one.
    func unknown() throws -> Int32? {
        guard let name = try model.memberIfPresent("unk_token") else { return nil }
        guard let id = entries.id(of: Array(try name.string().utf8)) else {
            throw ApusError(.malformedFile, "\(path): model.unk_token: expected a token, found \(try name.string())")
        }
        return id
    }

    // MARK: Roles

    /// The tokens with a role: as the configuration names them, and as the post-processor places them.
    func specialTokens(in vocabulary: inout Vocabulary, endOfGeneration: [Int32]) throws -> SpecialTokens {
        var special = SpecialTokens()
        special.unknown = try unknown()
        special.bos = try configuredToken("bos_token")
        special.eos = try configuredToken("eos_token")
        (special.prefix, special.suffix) = try JSONPostProcessor(try root.memberIfPresent("post_processor"), entries)
            .frame()
        if special.prefix.isEmpty, try config?.memberIfPresent("add_bos_token")?.bool() == true, let bos = special.bos {
            special.prefix = [bos]
        }
        if special.suffix.isEmpty, try config?.memberIfPresent("add_eos_token")?.bool() == true, let eos = special.eos {
            special.suffix = [eos]
        }
        special.addsBOS = special.bos.map(special.prefix.contains) ?? false
        special.addsEOS = special.eos.map(special.suffix.contains) ?? false
        special.endOfGeneration.formUnion(endOfGeneration.filter(vocabulary.contains))
        var markers: [Int32] = []
        special.deriveEnds(from: vocabulary) { markers.append($0) }
        for id in markers { vocabulary.setKind(.control, of: id) }
        return special
    }

    /// The token a configuration field names, as text or as an object with `content`.
    private func configuredToken(_ name: String) throws -> Int32? {
        guard let value = try config?.memberIfPresent(name) else { return nil }
        let text = try value.kind == .object ? value.member("content").string() : value.string()
        return entries.id(of: Array(text.utf8))
    }
}

extension JSONValue {
    /// A bool member; `fallback` where it is missing.
    func flag(_ key: String, default fallback: Bool) throws -> Bool { try memberIfPresent(key)?.bool() ?? fallback }

    /// The `type` of a component.
    func componentType() throws -> String { try member("type").string() }

    /// The components of a possibly nested sequence, flattened; nesting is bounded.
    func flattened(_ listName: String, depth: Int = 0) throws -> [JSONValue] {
        guard try componentType() == "Sequence" else { return [self] }
        guard depth < 8 else { throw ApusError(.malformedFile, "\(listName): expected at most 8 nested sequences") }
        return try member(listName).elements().flatMap { try $0.flattened(listName, depth: depth + 1) }
    }

    /// The refusal of a component.
    func unsupported(_ found: String) -> ApusError {
        ApusError(.unsupported, "expected a component that Apus knows, found \(found)")
    }
}
