import ApusCore
import ApusTokenizers
import FuzzSupport

/// Streams the input, two bytes an id, through small vocabularies: what comes out in pieces must be what decoding gives
/// at once.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDetokenizer(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = FuzzInput(start, count).bytes
    let ids = stride(from: 0, to: bytes.count - 1, by: 2).map { Int32(bytes[$0]) | Int32(bytes[$0 + 1]) << 8 }
    for tokenizer in tokenizers {
        // Most ids lie in the vocabulary, some beside it.
        let ids = ids.map { $0 % Int32(tokenizer.vocabularySize + 2) - 1 }
        for skipSpecial in [false, true] {
            var detokenizer = StreamingDetokenizer(tokenizer, skipSpecial: skipSpecial)
            let text = ids.map { detokenizer.append($0) }.joined() + detokenizer.flush()
            precondition(text == String(decoding: tokenizer.decode(ids, skipSpecial: skipSpecial), as: UTF8.self))
        }
    }
    return 0
}

private let markers = #"[{"id": 0, "content": "<s>", "special": true}, {"id": 1, "content": "é", "special": false}]"#

/// A vocabulary of marked spaces with byte tokens, and one of words.
private let tokenizers: [Tokenizer] = {
    let digits = "0123456789ABCDEF"
    let bytes = digits.flatMap { high in digits.map { "\"<0x\(high)\($0)>\"" } }
    let pieces = ["\"<s>\"", "\"é\"", "\"▁a\"", "\"▁\"", "\"b\"", "\"😀\"", "\"##c\"", "\".\""] + bytes
    let vocabulary = pieces.enumerated().map { "\($0.element): \($0.offset)" }.joined(separator: ", ")
    let spaces = #"{"type": "Metaspace", "prepend_scheme": "always", "split": false}"#
    let texts = [
        """
        {"added_tokens": \(markers), "pre_tokenizer": \(spaces), "decoder": \(spaces),
         "model": {"vocab": {\(vocabulary)}, "merges": [], "byte_fallback": true}}
        """,
        """
        {"added_tokens": \(markers), "pre_tokenizer": {"type": "BertPreTokenizer"},
         "model": {"type": "WordPiece", "vocab": {\(vocabulary)}, "unk_token": "b"}}
        """,
    ]
    return texts.compactMap { try? Tokenizer(json: Array($0.utf8)) }
}()
