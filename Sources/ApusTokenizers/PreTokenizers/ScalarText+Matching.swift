/// The matchers behind `SplitRule`: each returns where the match that starts at a position ends.
///
/// Alternatives are tried in the order of the expression; `to` is the end of the piece, which is what `$` and the
/// look-ahead `(?!\S)` see.
extension ScalarText {
    private static let space: UInt32 = 0x20
    private static let apostrophe: UInt32 = 0x27

    func isNewline(_ index: Int) -> Bool { scalars[index] == 0x0A || scalars[index] == 0x0D }

    /// The first index at or after `position` where the predicate fails.
    @inline(__always)
    private func runEnd(from position: Int, to end: Int, where predicate: (Int) -> Bool) -> Int {
        var index = position
        while index < end, predicate(index) { index += 1 }
        return index
    }

    /// The match of `[class]+`.
    func runMatch(at position: Int, to end: Int, where predicate: (ScalarText, Int) -> Bool) -> Int? {
        let stop = runEnd(from: position, to: end) { predicate(self, $0) }
        return stop > position ? stop : nil
    }

    /// The match of `\s?[class]+`.
    func spacedRunMatch(at position: Int, to end: Int, where predicate: (ScalarText, Int) -> Bool) -> Int? {
        if classes[position].contains(.space), position + 1 < end, predicate(self, position + 1) {
            return runMatch(at: position + 1, to: end, where: predicate)
        }
        return runMatch(at: position, to: end, where: predicate)
    }

    func threeDigitsMatch(at position: Int, to end: Int) -> Int? {
        guard end - position >= 3 else { return nil }
        let areDigits = (position..<position + 3).allSatisfy { (0x30...0x39).contains(scalars[$0]) }
        return areDigits ? position + 3 : nil
    }

    func isPunctuation(_ index: Int) -> Bool {
        BertClass(rawValue: BertClass.table[scalars[index]]).contains(.punctuation)
    }

    func isDeepseekPunctuation(_ index: Int) -> Bool {
        switch scalars[index] {
        case 0x21...0x2F, 0x3A...0x7E, 0xFF01...0xFF0F, 0xFF1A...0xFF5E, 0x2018...0x201F, 0x3000...0x3002: true
        default: false
        }
    }

    func isDeepseekCJK(_ index: Int) -> Bool {
        switch scalars[index] {
        case 0x0800...0x9FA5, 0xAC00...0xD7FF: true
        default: false
        }
    }

    /// Where the white space at the end of a piece starts.
    func trailingSpaceStart(from start: Int, to end: Int) -> Int {
        var index = end
        while index > start, classes[index - 1].contains(.space) { index -= 1 }
        return index
    }

    // MARK: GPT-2 and Llama 3

    func gpt2Match(at position: Int, to end: Int) -> Int {
        if let stop = contraction(at: position, to: end, ignoringCase: false) { return stop }
        // ` ?` before letters, numbers or others.
        let start = scalars[position] == Self.space && position + 1 < end ? position + 1 : position
        let first = classes[start]
        if first.contains(.letter) { return runEnd(from: start, to: end) { classes[$0].contains(.letter) } }
        if first.contains(.number) { return runEnd(from: start, to: end) { classes[$0].contains(.number) } }
        if !first.contains(.space) { return runEnd(from: start, to: end, where: isOther) }
        return spaceMatch(at: position, to: end)
    }

    func wordMatch(at position: Int, to end: Int, digitsPerPiece: Int) -> Int {
        if let stop = contraction(at: position, to: end, ignoringCase: true) { return stop }
        let first = classes[position]
        if first.contains(.letter) { return runEnd(from: position, to: end) { classes[$0].contains(.letter) } }
        if first.contains(.number) {
            return runEnd(from: position, to: min(end, position + digitsPerPiece)) { classes[$0].contains(.number) }
        }
        if !isNewline(position), position + 1 < end, classes[position + 1].contains(.letter) {
            return runEnd(from: position + 1, to: end) { classes[$0].contains(.letter) }
        }
        let start = scalars[position] == Self.space && position + 1 < end ? position + 1 : position
        if isOther(start) {
            let stop = runEnd(from: start, to: end, where: isOther)
            return runEnd(from: stop, to: end, where: isNewline)
        }
        return newlineMatch(at: position, to: end) ?? spaceMatch(at: position, to: end)
    }

    /// The class `[^\s\p{L}\p{N}]`.
    private func isOther(_ index: Int) -> Bool {
        classes[index].isDisjoint(with: [.space, .letter, .number])
    }

    /// `\s*[\r\n]+`: white space up to the last line break of its run.
    private func newlineMatch(at position: Int, to end: Int) -> Int? {
        var stop: Int?
        var index = position
        while index < end, classes[index].contains(.space) {
            if isNewline(index) { stop = index + 1 }
            index += 1
        }
        return stop
    }

    /// `\s+(?!\S)|\s+`: a run of white space, less its last character where something follows that could take it.
    private func spaceMatch(at position: Int, to end: Int) -> Int {
        let stop = runEnd(from: position, to: end) { classes[$0].contains(.space) }
        return stop < end && stop - position > 1 ? stop - 1 : stop
    }

    /// The match of `'s|'t|'re|'ve|'m|'ll|'d`.
    private func contraction(at position: Int, to end: Int, ignoringCase: Bool) -> Int? {
        guard scalars[position] == Self.apostrophe, position + 1 < end else { return nil }
        switch folded(position + 1, ignoringCase) {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return position + 2
        case UInt8(ascii: "r"), UInt8(ascii: "v"):
            return position + 2 < end && folded(position + 2, ignoringCase) == UInt8(ascii: "e") ? position + 3 : nil
        case UInt8(ascii: "l"):
            return position + 2 < end && folded(position + 2, ignoringCase) == UInt8(ascii: "l") ? position + 3 : nil
        default: return nil
        }
    }

    /// A letter for comparison; U+017F folds to "s" (Unicode, CaseFolding.txt).
    private func folded(_ index: Int, _ ignoringCase: Bool) -> UInt8 {
        let scalar = scalars[index]
        if ignoringCase, scalar == 0x17F { return UInt8(ascii: "s") }
        guard scalar < 0x80 else { return 0 }
        let isUpper = (0x41...0x5A).contains(scalar)
        return UInt8(truncatingIfNeeded: ignoringCase && isUpper ? scalar | 0x20 : scalar)
    }
}
