/// How a tokenizer changes a text before it cuts it.
enum Normalization: Sendable, Equatable {
    case none
    /// Canonical composition (Unicode Standard Annex 15, form C).
    case nfc
    /// Canonical decomposition (form D).
    case nfd

    /// The normalized text; with any form but `none`, bytes that are not UTF-8 become U+FFFD.
    func apply(to text: Span<UInt8>) -> [UInt8] {
        // Neither form changes ASCII.
        if self == .none || text.indices.allSatisfy({ text[$0] < 0x80 }) { return Array(copying: text) }
        let scalars = ScalarText(text).scalars
        return ScalarText(scalars: self == .nfc ? CanonicalForm.nfc(scalars) : CanonicalForm.nfd(scalars)).utf8
    }
}

extension [UInt8] {
    /// The bytes of a span.
    init(copying span: Span<UInt8>) {
        self = []
        append(contentsOf: span.bytes)
    }
}
