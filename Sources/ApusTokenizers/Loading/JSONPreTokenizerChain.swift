import ApusCore
import ApusFormats

/// The pre-tokenizers of a `tokenizer.json`, recognised.
struct JSONPreTokenizerChain {
    /// A `Metaspace` component.
    struct Metaspace {
        let spacePrefix: SentencePieceModel.SpacePrefix
        let splitsWords: Bool
    }

    private(set) var isByteLevel = false
    private(set) var metaspace: Metaspace?
    private var rules: [SplitRule] = []
    // The components after `ByteLevel`, which see spelled bytes.
    private var trailing: [String] = []

    init(_ value: JSONValue?) throws {
        for component in try value?.flattened("pretokenizers") ?? [] { try append(component) }
        // Falcon's last two cut spelled bytes; its merges keep to the cuts of `threeDigits` on text.
        if trailing == ["Digits", "[0-9][0-9][0-9]"], rules == [.punctuationRuns, .gpt2] {
            rules.append(.threeDigits)
        } else if let first = trailing.first {
            throw ApusError(.unsupported, "pre_tokenizer: expected nothing after ByteLevel, found \(first)")
        }
    }

    /// The pre-tokenizer of a byte-level vocabulary, under GGUF's name if it has one.
    var preTokenizer: PreTokenizer {
        PreTokenizer.all.first { $0.rules == rules } ?? PreTokenizer(name: "tokenizer.json", rules: rules)
    }

    private mutating func append(_ component: JSONValue) throws {
        let type = try component.componentType()
        guard !isByteLevel else {
            trailing.append(type == "Split" ? try Self.pattern(component) : type)
            return
        }
        switch type {
        case "ByteLevel":
            guard try !component.flag("add_prefix_space", default: true) else {
                throw component.unsupported("pre_tokenizer ByteLevel with add_prefix_space")
            }
            isByteLevel = true
            if try component.flag("use_regex", default: true) { rules.append(.gpt2) }
        case "Digits":
            guard try component.flag("individual_digits", default: false) else {
                throw component.unsupported("pre_tokenizer Digits without individual_digits")
            }
            rules.append(.eachDigit)
        case "Punctuation":
            let behavior = try component.memberIfPresent("behavior")?.string() ?? "Isolated"
            guard behavior == "Contiguous" else {
                throw component.unsupported("pre_tokenizer Punctuation with behavior \(behavior)")
            }
            rules.append(.punctuationRuns)
        case "Split": try appendSplit(component)
        case "Metaspace": metaspace = try Self.metaspace(component)
        default: throw component.unsupported("pre_tokenizer \(type)")
        }
    }

    private mutating func appendSplit(_ component: JSONValue) throws {
        let pattern = try Self.pattern(component)
        let behavior = try component.member("behavior").string()
        let isInverted = try component.flag("invert", default: false)
        // Gemma cuts at spaces, which its normalizer has already replaced.
        if pattern == " ", behavior == "MergedWithPrevious" { return }
        guard let rule = SplitRule.known[pattern] else {
            throw component.unsupported("pre_tokenizer Split with pattern \(pattern.debugDescription)")
        }
        // What an expression that leaves nothing over "removes" when inverted is nothing.
        let isIsolating = behavior == "Isolated" && !isInverted || behavior == "Removed" && isInverted && rule.isTotal
        guard isIsolating else {
            throw component.unsupported("pre_tokenizer Split with behavior \(behavior), invert \(isInverted)")
        }
        rules.append(rule)
    }

    private static func pattern(_ component: JSONValue) throws -> String {
        let pattern = try component.member("pattern")
        return try pattern.memberIfPresent("Regex")?.string() ?? pattern.member("String").string()
    }

    private static func metaspace(_ component: JSONValue) throws -> Metaspace {
        let replacement = try component.memberIfPresent("replacement")?.string() ?? "\u{2581}"
        guard replacement == "\u{2581}" else {
            throw component.unsupported("pre_tokenizer Metaspace with replacement \(replacement)")
        }
        let fallback = try component.flag("add_prefix_space", default: true) ? "always" : "never"
        let scheme = try component.memberIfPresent("prepend_scheme")?.string() ?? fallback
        let prefixes: [String: SentencePieceModel.SpacePrefix] = [
            "always": .unlessSpaced, "first": .firstUnlessSpaced, "never": .never,
        ]
        guard let prefix = prefixes[scheme] else {
            throw component.unsupported("pre_tokenizer Metaspace with prepend_scheme \(scheme)")
        }
        return Metaspace(spacePrefix: prefix, splitsWords: try component.flag("split", default: true))
    }
}

extension SplitRule {
    /// Whether the expression matches somewhere in every text and leaves nothing over.
    fileprivate var isTotal: Bool {
        switch self {
        case .gpt2, .words: true
        default: false
        }
    }

    /// The expressions of tokenizer.json files and the rules that do the same.
    fileprivate static let known: [String: SplitRule] = {
        let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
        let rest = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
        let gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
        return [
            gpt2: .gpt2,
            "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+": .gpt2,
            contractions + "\\p{N}{1,3}" + rest: .words(digitsPerPiece: 3),
            contractions + "\\p{N}" + rest: .words(digitsPerPiece: 1),
            "\\p{N}": .eachNumber, "[\r\n]": .eachNewline, "[\\r\\n]": .eachNewline,
            "[0-9][0-9][0-9]": .threeDigits, "\\s?\\p{L}+": .spacedLetters, "\\s?\\p{P}+": .spacedPunctuation,
            "\\s+$": .trailingSpace, "[一-龥ࠀ-一가-퟿]+": .deepseekCJK,
            "\\s?[!-/:-~！-／：-～‘-‟　-。]+": .deepseekPunctuation,
            "\\s?[" + deepseekLetterClass + "]+": .deepseekLetters,
        ]
    }()

    // The class as deepseek-llm's tokenizer.json spells it.
    private static let deepseekLetterClass =
        "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼ"
        + "ιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ"
        + "𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃"
}
