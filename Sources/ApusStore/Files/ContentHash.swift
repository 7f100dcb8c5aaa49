import Crypto

/// The SHA-256 hash of a stream of bytes: the name of a file's content in the store.
package struct ContentHash {
    private var hasher = SHA256()

    /// Continues the hash with more bytes.
    mutating func update(_ bytes: [UInt8]) {
        hasher.update(data: bytes)
    }

    /// The hash of the bytes so far as 64 lower-case hexadecimal digits.
    var hexDigits: String { Self.hexDigits(of: hasher.finalize()) }

    /// The hash of a text's UTF-8 bytes, in hexadecimal digits.
    static func hexDigits(of text: String) -> String {
        hexDigits(of: SHA256.hash(data: Array(text.utf8)))
    }

    /// The hash of bytes, in hexadecimal digits.
    package static func hexDigits(of bytes: [UInt8]) -> String { hexDigits(of: SHA256.hash(data: bytes)) }

    /// The hash of what files hold, one after the other, in hexadecimal digits.
    /// - Throws: `ApusError` for a file that cannot be read.
    package static func hexDigits(ofFiles paths: [String]) throws -> String {
        var hash = ContentHash()
        for path in paths { try FileSystem.read(path) { hash.update($0) } }
        return hash.hexDigits
    }

    /// Whether a text is written as a SHA-256 hash: 64 lower-case hexadecimal digits.
    static func isHexDigits(_ text: String) -> Bool {
        text.utf8.count == 64
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    private static func hexDigits(of digest: some Digest) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in digest {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
