import ApusCore
import ApusTokenizers
import Testing

@Suite("Streaming detokenizer")
struct StreamingDetokenizerTests {
    /// A byte-level tokenizer whose ids are bytes, and a marker 256.
    private static func byteTokenizer() throws -> Tokenizer {
        try Tokenizer(json: ToyTokenizer.byteLevel())
    }

    private func stream(_ bytes: [UInt8], _ tokenizer: Tokenizer? = nil) throws -> [String] {
        var detokenizer = StreamingDetokenizer(try tokenizer ?? Self.byteTokenizer())
        return bytes.map { detokenizer.append(Int32($0)) } + [detokenizer.flush()]
    }

    @Test("A character comes out whole, with its last byte")
    func charactersStayWhole() throws {
        #expect(try stream(Array("é😀".utf8)) == ["", "é", "", "", "", "😀", ""])
    }

    @Test("Bytes that can no longer become a character turn into U+FFFD at once, an unfinished one at the end")
    func brokenBytesAreReplaced() throws {
        #expect(try stream([0xFF, 0x61]) == ["\u{FFFD}", "a", ""])
        #expect(try stream([0xE2, 0x82, 0x61]) == ["", "", "\u{FFFD}a", ""])
        #expect(try stream([0xF0, 0x9F]) == ["", "", "\u{FFFD}"])
        #expect(try stream([0xED, 0xA0]) == ["", "\u{FFFD}\u{FFFD}", ""])
    }

    @Test("Every sequence of bytes streams to what it decodes to at once")
    func streamEqualsWhole() throws {
        let tokenizer = try Self.byteTokenizer()
        let edges: [UInt8] = [0x41, 0x80, 0xBF, 0xC3, 0xE0, 0xA0, 0xED, 0xF0, 0x90, 0xF4, 0xFF]
        for first in edges {
            for second in edges {
                for third in edges {
                    for fourth in edges {
                        let bytes = [first, second, third, fourth]
                        #expect(try stream(bytes, tokenizer).joined() == String(decoding: bytes, as: UTF8.self))
                    }
                }
            }
        }
    }

    @Test("Markers are left out unless asked for")
    func markersAreSkipped() throws {
        let tokenizer = try Self.byteTokenizer()
        #expect(tokenizer.decode([0x61, 256, 0x62], skipSpecial: true) == Array("ab".utf8))
        #expect(tokenizer.decode([0x61, 256, 0x62]) == Array("a<|end|>b".utf8))
    }
}
