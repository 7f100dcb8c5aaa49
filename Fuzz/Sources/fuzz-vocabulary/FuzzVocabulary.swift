import ApusCore
import ApusFormats
import ApusTokenizers
import FuzzSupport

/// Opens the input as a GGUF file with a tokenizer and encodes a text with it: ids must be in the vocabulary, and
/// every token must have bytes to give.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzVocabulary(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzInput.withFile(FuzzInput(start, count).bytes) { path in
        guard let file = try? GGUFFile(path: path), let tokenizer = try? Tokenizer(file) else { return }
        let text = Array("a b\u{2581}c <s> <|endoftext|> d\u{e9}f\u{200D} 12\n".utf8) + [0xFF, 0, 0xC3]
        for (parseSpecial, addSpecial) in [(true, true), (false, false)] {
            let ids = tokenizer.encode(text, parseSpecial: parseSpecial, addSpecial: addSpecial)
            precondition(ids.allSatisfy { $0 >= 0 && $0 < tokenizer.vocabularySize })
        }
        let ids = (0..<Int32(clamping: tokenizer.vocabularySize)).prefix(1000)
        precondition(tokenizer.decode(Array(ids)) == tokenizer.decode(Array(ids)))
        for id in [tokenizer.bos, tokenizer.eos, tokenizer.eot] + tokenizer.endOfGeneration.map({ $0 }) {
            if let id { precondition(id >= 0 && id < tokenizer.vocabularySize) }
        }
    }
    return 0
}
