/// The spelling of bytes in byte-level vocabularies: printable Latin-1 stands for itself, the other 68 bytes are moved
/// to U+0100 and up (GPT-2, "Language Models are Unsupervised Multitask Learners", section 2.2).
enum ByteAlphabet {
    /// The byte each code point below U+0144 spells; -1 for the others.
    private static let byteOfScalar: [Int16] = {
        var table: [Int16] = Array(repeating: -1, count: 0x144)
        var moved = 0x100
        for byte in 0..<256 {
            let isPrintable = (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || byte >= 0xAE
            table[isPrintable ? byte : moved] = Int16(byte)
            if !isPrintable { moved += 1 }
        }
        return table
    }()

    /// Appends the bytes that a part of a token's spelling stands for.
    /// - Returns: whether every character of it is in the alphabet; if not, nothing is appended.
    static func decode(_ spelling: Span<UInt8>, _ range: Range<Int>, into bytes: inout [UInt8]) -> Bool {
        let start = bytes.count
        let table = byteOfScalar
        var position = range.lowerBound
        while position < range.upperBound {
            guard let (scalar, length) = UTF8Scanner.decode(spelling, at: position, end: range.upperBound),
                scalar < UInt32(table.count), table[Int(scalar)] >= 0
            else {
                bytes.removeSubrange(start...)
                return false
            }
            bytes.append(UInt8(truncatingIfNeeded: table[Int(scalar)]))
            position += length
        }
        return true
    }
}
