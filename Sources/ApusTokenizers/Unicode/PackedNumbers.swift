/// Reads the numbers of a packed Unicode table, one after another.
///
/// A number is written as base-64 digits of five bits each, least significant first; a digit's sixth bit says that
/// more follow. `tools/fixtures/tokenizers_unicode.py` writes the tables.
struct PackedNumbers {
    private let digits: [UInt8]
    private var position = 0

    init(_ text: String) { digits = Array(text.utf8) }

    /// The next number; nil at the end of the table.
    mutating func next() -> Int? {
        var number = 0
        var shift = 0
        while position < digits.count {
            let digit = Self.value(of: digits[position])
            position += 1
            number |= (digit & 31) << shift
            guard digit & 32 != 0 else { return number }
            shift += 5
        }
        return nil
    }

    /// The next number, written as 2n for n and as 2n - 1 for -n.
    mutating func nextSigned() -> Int? {
        next().map { $0 & 1 == 0 ? $0 >> 1 : -(($0 + 1) >> 1) }
    }

    private static func value(of digit: UInt8) -> Int {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): Int(digit) - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): Int(digit) - 71
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(digit) + 4
        case UInt8(ascii: "+"): 62
        default: 63
        }
    }
}
