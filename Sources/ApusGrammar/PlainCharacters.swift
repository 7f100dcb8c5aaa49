/// The characters that no syntax treats in its own way: all but controls, `"` and `\\`.
///
/// Most tokens consist of them, and most states inside a string allow any of them, so whole sets of tokens are allowed
/// without a look at each.
enum PlainCharacters {
    static let forms = CodePointSet([0x20...0x21, 0x23...0x5B, 0x5D...0x7E, 0x80...0x10FFFF]).byteSequences

    /// Tokens with more characters are looked at one by one.
    static let longestRun = 32

    /// How many characters a token has; nil if it isn't plain throughout or too long.
    static func count(_ bytes: ArraySlice<UInt8>) -> Int? {
        var parser = Unicode.UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        for count in 0...longestRun {
            switch parser.parseScalar(from: &iterator) {
            case .emptyInput: return count
            case .error: return nil
            case .valid(let form):
                guard form.allSatisfy(isPlain) else { return nil }
            }
        }
        return nil
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x00...0x1F, UInt8(ascii: "\""), UInt8(ascii: "\\"), 0x7F: false
        default: true
        }
    }
}

/// How many plain characters a text may go on with, counted up to `PlainCharacters.longestRun`.
struct PlainRun: Equatable {
    /// Any so many may follow.
    var certain: Int
    /// More can't follow, whichever they are.
    var possible: Int

    static let unknown = PlainRun(certain: 0, possible: PlainCharacters.longestRun)
}
