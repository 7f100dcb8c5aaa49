import ApusCore
import ApusTokenizers
import FuzzSupport

/// Loads the input, up to a zero byte, as tokenizer.json and encodes the rest: ids must be in the vocabulary, and
/// decoding must give the same bytes each time.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzTokenizer(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let parts = FuzzInput(start, count).bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
    guard let json = parts.first, let tokenizer = try? Tokenizer(json: Array(json)) else { return 0 }
    let text = parts.count > 1 ? Array(parts[1]) : Array(json)
    for (parseSpecial, addSpecial) in [(true, true), (false, false)] {
        let ids = tokenizer.encode(text, parseSpecial: parseSpecial, addSpecial: addSpecial)
        precondition(ids.allSatisfy { $0 >= 0 && $0 < tokenizer.vocabularySize })
        precondition(ids == tokenizer.encode(text, parseSpecial: parseSpecial, addSpecial: addSpecial))
        precondition(tokenizer.decode(ids) == tokenizer.decode(ids))
    }
    return 0
}
