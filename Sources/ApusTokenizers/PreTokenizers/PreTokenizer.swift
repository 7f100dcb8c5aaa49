/// Cuts a text into the pieces that byte-pair merges must not cross.
///
/// Each family states its cut as regular expressions, applied one after another: every expression isolates its matches
/// inside the pieces left by the one before. Here each expression is a hand-written `SplitRule`, which keeps the work
/// linear in the text. The names are those of GGUF's `tokenizer.ggml.pre`.
package struct PreTokenizer: Sendable, Equatable {
    /// GGUF's name of the family.
    package let name: String
    let rules: [SplitRule]
    /// Whether runs of bytes that are numbers in the byte-level alphabet are cut off, in whatever characters they stand:
    /// the reference looks for digits once bytes are spelled.
    let cutsNumericBytes: Bool

    init(name: String, rules: [SplitRule], cutsNumericBytes: Bool = false) {
        self.name = name
        self.rules = rules
        self.cutsNumericBytes = cutsNumericBytes
    }

    /// GPT-2's own expression.
    package static let gpt2 = PreTokenizer(name: "gpt-2", rules: [.gpt2])
    package static let mpt = PreTokenizer(name: "mpt", rules: [.gpt2])
    package static let llamaBPE = PreTokenizer(name: "llama-bpe", rules: [.words(digitsPerPiece: 3)])
    package static let qwen2 = PreTokenizer(name: "qwen2", rules: [.words(digitsPerPiece: 1)])
    package static let smollm = PreTokenizer(name: "smollm", rules: [.eachDigit, .gpt2])
    package static let starcoder = PreTokenizer(name: "starcoder", rules: [.eachDigit, .gpt2])
    package static let refact = PreTokenizer(name: "refact", rules: [.eachDigit, .gpt2])
    package static let commandR = PreTokenizer(name: "command-r", rules: [.eachDigit, .gpt2])
    package static let falcon = PreTokenizer(
        name: "falcon",
        rules: [.punctuationRuns, .gpt2, .threeDigits],
        cutsNumericBytes: true
    )
    package static let deepseekLLM = PreTokenizer(
        name: "deepseek-llm",
        rules: [
            .eachNewline, .deepseekLetters, .deepseekPunctuation, .trailingSpace, .deepseekCJK, .eachDigit,
        ]
    )
    package static let deepseekCoder = PreTokenizer(
        name: "deepseek-coder",
        rules: [.eachNewline, .spacedLetters, .spacedPunctuation, .deepseekCJK, .eachDigit]
    )

    /// Every pre-tokenizer, in the order errors list them.
    package static let all: [PreTokenizer] = [
        gpt2, llamaBPE, qwen2, smollm, deepseekLLM, deepseekCoder, falcon, starcoder, refact, commandR, mpt,
    ]

    // Other names that files give to the same rules.
    private static let aliases: [String: PreTokenizer] = [
        "llama3": llamaBPE, "llama-v3": llamaBPE, "falcon3": llamaBPE, "falcon-h1": llamaBPE, "pixtral": llamaBPE,
        "midm-2.0": llamaBPE, "lfm2": llamaBPE, "smaug-bpe": llamaBPE, "dbrx": llamaBPE,
        "deepseek-r1-qwen": qwen2, "megrez": qwen2, "stablelm2": qwen2, "hunyuan": qwen2,
        "phi-2": gpt2, "olmo": gpt2, "jais": gpt2, "exaone4": gpt2, "gigachat": gpt2, "modern-bert": gpt2,
        "codeshell": starcoder, "exaone": starcoder, "minerva-7b": starcoder,
    ]

    /// The pre-tokenizer a GGUF file names; nil if there is none of that name.
    package init?(named name: String) {
        guard let match = Self.all.first(where: { $0.name == name }) ?? Self.aliases[name] else { return nil }
        self = match
    }

    /// The end of every piece of a text, ascending, in code points.
    func pieceEnds(of text: ScalarText) -> [Int] {
        var ends = text.count == 0 ? [] : [text.count]
        for rule in rules { ends = rule.refine(ends, of: text) }
        return ends
    }

    /// The pieces of a text as UTF-8; bytes that are not UTF-8 come out as U+FFFD.
    package func pieces(of bytes: [UInt8]) -> [[UInt8]] {
        let text = ScalarText(bytes.span)
        var start = 0
        return pieceEnds(of: text).map { end in
            defer { start = end }
            return ScalarText(scalars: Array(text.scalars[start..<end])).utf8
        }
    }
}
