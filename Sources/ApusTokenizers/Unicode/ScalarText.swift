/// A text as code points with their classes: what pre-tokenizers scan.
///
/// A byte that is not part of UTF-8 becomes U+FFFD, one for each byte, as in llama.cpp.
struct ScalarText {
    private(set) var scalars: [UInt32] = []
    private(set) var classes: [CharacterClass] = []

    var count: Int { scalars.count }

    /// Decodes bytes.
    init(_ bytes: Span<UInt8>) {
        scalars.reserveCapacity(bytes.count)
        classes.reserveCapacity(bytes.count)
        let table = CharacterClass.table
        var position = 0
        while position < bytes.count {
            let (scalar, length) =
                UTF8Scanner.decodeLeniently(bytes, at: position) ?? (UTF8Scanner.replacement, 1)
            scalars.append(scalar)
            classes.append(CharacterClass(rawValue: table[scalar]))
            position += length
        }
    }

    /// Wraps code points, classified.
    init(scalars: [UInt32]) {
        self.scalars = scalars
        let table = CharacterClass.table
        classes = scalars.map { CharacterClass(rawValue: table[$0]) }
    }

    /// The text as UTF-8.
    var utf8: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(scalars.count)
        for scalar in scalars { UTF8Scanner.append(scalar, to: &bytes) }
        return bytes
    }
}
