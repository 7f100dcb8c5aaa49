package import ApusCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A type for the tensors whose names match a pattern: `blk.*.ffn_down.weight=q6_k`.
package struct TensorRule: Sendable {
    /// A shell pattern over the whole name: `*`, `?` and `[…]`.
    package let pattern: String
    /// The type to take.
    package let type: ElementType

    /// Reads PATTERN=TYPE; nil if it is none.
    package init?(_ text: String) {
        guard let sign = text.lastIndex(of: "="), sign > text.startIndex,
            let type = ElementType(name: String(text[text.index(after: sign)...]))
        else { return nil }
        pattern = String(text[..<sign])
        self.type = type
    }

    /// Whether the rule is about a tensor.
    package func matches(_ name: String) -> Bool { fnmatch(pattern, name, 0) == 0 }
}
