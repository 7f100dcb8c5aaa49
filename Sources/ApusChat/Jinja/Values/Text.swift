/// A string as templates see it: valid UTF-8, indexed by code points, compared code point by code point.
///
/// Swift's `String` compares by canonical equivalence and counts grapheme clusters; Python does neither, and the
/// bytes of a prompt depend on it. Byte order of UTF-8 is code point order, so plain byte comparison is right.
struct Text {
    /// The string in UTF-8.
    private(set) var utf8: [UInt8]
    /// Whether the string is marked as HTML (the `safe` filter): joining it with others escapes those.
    var isMarkup = false
    /// What the string takes from the memory allowance, where it was made while rendering.
    var charge: MemoryCharge?

    init(utf8: [UInt8], isMarkup: Bool = false) {
        self.utf8 = utf8
        self.isMarkup = isMarkup
    }

    init(_ string: String) { utf8 = Array(string.utf8) }

    init(_ scalars: some Sequence<Unicode.Scalar>) {
        utf8 = []
        for scalar in scalars { utf8.append(scalar) }
    }

    var string: String { String(decoding: utf8, as: UTF8.self) }
    var isEmpty: Bool { utf8.isEmpty }
    /// The code points, decoded.
    var scalars: String.UnicodeScalarView { string.unicodeScalars }
    /// The number of code points.
    var count: Int { isASCII ? utf8.count : utf8.reduce(0) { $0 + ($1 & 0xC0 != 0x80 ? 1 : 0) } }
    private var isASCII: Bool { utf8.allSatisfy { $0 < 0x80 } }

    /// The code points from `start` in steps of `step`, `count` of them; the caller has checked the range.
    func slice(start: Int, step: Int, count: Int) -> Text {
        if count == 0 { return Text(utf8: []) }
        if step == 1 {
            let from = byteOffset(ofScalar: start)
            let length = Text.byteLength(of: utf8[from...], scalars: count)
            return Text(utf8: Array(utf8[from..<from + length]))
        }
        let all = Array(scalars)
        return Text((0..<count).map { all[start + $0 * step] })
    }

    /// The byte at which code point `index` begins, at most the length.
    func byteOffset(ofScalar index: Int) -> Int { Text.byteLength(of: utf8[...], scalars: index) }

    /// The number of code points before the byte at `offset`.
    func scalarIndex(ofByte offset: Int) -> Int {
        utf8[..<offset].reduce(0) { $0 + ($1 & 0xC0 != 0x80 ? 1 : 0) }
    }

    private static func byteLength(of bytes: ArraySlice<UInt8>, scalars: Int) -> Int {
        var remaining = scalars
        for (offset, byte) in bytes.enumerated() where byte & 0xC0 != 0x80 {
            if remaining == 0 { return offset }
            remaining -= 1
        }
        return bytes.count
    }
}

extension Text: Hashable, Comparable, ExpressibleByStringLiteral {
    init(stringLiteral value: StaticString) { self.init(value.description) }

    static func == (left: Text, right: Text) -> Bool { left.utf8 == right.utf8 }
    static func < (left: Text, right: Text) -> Bool { left.utf8.lexicographicallyPrecedes(right.utf8) }
    func hash(into hasher: inout Hasher) { hasher.combine(utf8) }
}

extension Text: CustomStringConvertible {
    var description: String { string }
}

extension [UInt8] {
    /// Appends the UTF-8 form of `scalar`.
    mutating func append(_ scalar: Unicode.Scalar) { append(contentsOf: scalar.utf8) }
}
