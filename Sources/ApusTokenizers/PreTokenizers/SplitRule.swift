/// One cut of a pre-tokenizer: isolates the matches of an expression inside each piece.
enum SplitRule: Sendable, Equatable {
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    case gpt2
    /// Llama 3's expression and its variants, which take up to so many digits together:
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|`
    /// `\s+(?!\S)|\s+`
    case words(digitsPerPiece: Int)
    /// Each digit alone: `Digits` of the reference.
    case eachDigit
    /// `\p{N}`
    case eachNumber
    /// `[\r\n]`
    case eachNewline
    /// `[0-9][0-9][0-9]`
    case threeDigits
    /// Runs of what the reference's `Punctuation` takes: ASCII's, and category P of an older Unicode version.
    case punctuationRuns
    /// `\s?\p{L}+`
    case spacedLetters
    /// `\s?\p{P}+`
    case spacedPunctuation
    /// `\s?[…]+` over the letters that deepseek-llm lists.
    case deepseekLetters
    /// `\s?[!-/:-~！-／：-～‘-‟　-。]+`
    case deepseekPunctuation
    /// `[一-龥ࠀ-一가-퟿]+`
    case deepseekCJK
    /// `\s+$`
    case trailingSpace

    /// Cuts pieces, given by their ends, into smaller ones.
    func refine(_ ends: [Int], of text: ScalarText) -> [Int] {
        var result: [Int] = []
        result.reserveCapacity(ends.count)
        var start = 0
        for end in ends {
            if self == .trailingSpace {
                let tail = text.trailingSpaceStart(from: start, to: end)
                if tail > start, tail < end { result.append(tail) }
            } else {
                cut(from: start, to: end, of: text, into: &result)
            }
            result.append(end)
            start = end
        }
        return result
    }

    /// Appends the inner ends of a piece: where matches start and stop.
    private func cut(from start: Int, to end: Int, of text: ScalarText, into result: inout [Int]) {
        var position = start
        var unmatchedStart = start
        while position < end {
            guard let next = match(at: position, to: end, of: text) else {
                position += 1
                continue
            }
            if unmatchedStart < position { result.append(position) }
            if next < end { result.append(next) }
            position = next
            unmatchedStart = next
        }
    }

    /// Where the match that starts at a position ends; nil if none starts there.
    private func match(at position: Int, to end: Int, of text: ScalarText) -> Int? {
        switch self {
        case .gpt2: text.gpt2Match(at: position, to: end)
        case .words(let digits): text.wordMatch(at: position, to: end, digitsPerPiece: digits)
        case .eachDigit: text.classes[position].contains(.digit) ? position + 1 : nil
        case .eachNumber: text.classes[position].contains(.number) ? position + 1 : nil
        case .eachNewline: text.isNewline(position) ? position + 1 : nil
        case .threeDigits: text.threeDigitsMatch(at: position, to: end)
        case .punctuationRuns: text.runMatch(at: position, to: end) { $0.isPunctuation($1) }
        case .spacedLetters: text.spacedRunMatch(at: position, to: end) { $0.classes[$1].contains(.letter) }
        case .spacedPunctuation: text.spacedRunMatch(at: position, to: end) { $0.classes[$1].contains(.punctuation) }
        case .deepseekLetters: text.spacedRunMatch(at: position, to: end) { $0.classes[$1].contains(.deepseekLetter) }
        case .deepseekPunctuation: text.spacedRunMatch(at: position, to: end) { $0.isDeepseekPunctuation($1) }
        case .deepseekCJK: text.runMatch(at: position, to: end) { $0.isDeepseekCJK($1) }
        case .trailingSpace: nil
        }
    }
}
