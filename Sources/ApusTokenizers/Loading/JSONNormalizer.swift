import ApusCore
import ApusFormats

/// The normalizers of a `tokenizer.json`, recognised: a canonical form, and the marking of spaces.
struct JSONNormalizer {
    private(set) var form = Normalization.none
    private var prependsMark = false
    private var marksSpaces = false

    private static let mark = "\u{2581}"

    init(_ value: JSONValue?) throws {
        for component in try value?.flattened("normalizers") ?? [] { try append(component) }
    }

    /// The form of a vocabulary that leaves spaces alone.
    func onlyForm() throws -> Normalization {
        guard !prependsMark, !marksSpaces else {
            throw ApusError(.unsupported, "normalizer: expected NFC or none before ByteLevel, found Prepend or Replace")
        }
        return form
    }

    /// When a space is put before a text.
    func spacePrefix(_ metaspace: JSONPreTokenizerChain.Metaspace?) throws -> SentencePieceModel.SpacePrefix {
        if let metaspace {
            guard !prependsMark else {
                throw ApusError(.unsupported, "normalizer: expected none with Metaspace, found Prepend")
            }
            return metaspace.spacePrefix
        }
        guard marksSpaces else {
            throw ApusError(
                .unsupported,
                "pre_tokenizer: expected ByteLevel, Metaspace, or a normalizer that replaces spaces; found neither"
            )
        }
        return prependsMark ? .always : .never
    }

    private mutating func append(_ component: JSONValue) throws {
        switch try component.componentType() {
        case "NFC": form = .nfc
        case "NFD": form = .nfd
        case "Prepend":
            let text = try component.member("prepend").string()
            guard text == Self.mark, !marksSpaces else { throw component.unsupported("normalizer Prepend of \(text)") }
            prependsMark = true
        case "Replace":
            let pattern = try component.member("pattern").memberIfPresent("String")?.string()
            let content = try component.member("content").string()
            guard pattern == " ", content == Self.mark else {
                throw component.unsupported("normalizer Replace of \(pattern ?? "an expression") by \(content)")
            }
            marksSpaces = true
        case let type: throw component.unsupported("normalizer \(type)")
        }
    }
}

/// The decoders of a `tokenizer.json` with marked spaces, recognised.
struct JSONDecoderChain {
    private(set) var stripsLeadingSpace = false

    init(_ value: JSONValue?) throws {
        for component in try value?.flattened("decoders") ?? [] {
            switch try component.componentType() {
            case "Replace", "ByteFallback", "Fuse", "ByteLevel": continue
            case "Strip": stripsLeadingSpace = try component.member("start").integer() > 0
            case "Metaspace":
                let scheme = try component.memberIfPresent("prepend_scheme")?.string()
                let fallback = try component.flag("add_prefix_space", default: true)
                stripsLeadingSpace = scheme.map { $0 != "never" } ?? fallback
            case let type: throw component.unsupported("decoder \(type)")
            }
        }
    }
}
