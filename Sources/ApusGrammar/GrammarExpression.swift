/// A rule's right-hand side while a front end builds it.
///
/// Front ends bound its depth, so that walking and freeing it need little machine stack.
package indirect enum GrammarExpression: Sendable {
    /// One byte of a range.
    case byte(ClosedRange<UInt8>)
    /// These bytes in order; none at all is the empty text.
    case literal([UInt8])
    case sequence([GrammarExpression])
    /// One of these; of none, nothing matches.
    case choice([GrammarExpression])
    /// At least `minimum` times, at most `maximum` times where there is one.
    case repetition(GrammarExpression, minimum: Int, maximum: Int?)
    case rule(Int)

    package static let empty = literal([])

    /// These characters.
    package static func text(_ text: String) -> GrammarExpression { .literal(Array(text.utf8)) }
    /// Once or not at all.
    package static func optional(_ expression: GrammarExpression) -> GrammarExpression {
        .repetition(expression, minimum: 0, maximum: 1)
    }
    static func digits(_ minimum: Int, _ maximum: Int) -> GrammarExpression {
        .repetition(.digit, minimum: minimum, maximum: maximum)
    }
    static let digit = byte(UInt8(ascii: "0")...UInt8(ascii: "9"))

    /// Whether repeating it by copying is as cheap as by calling a rule.
    var isSmall: Bool {
        switch self {
        case .byte, .rule: true
        case .literal(let bytes): bytes.count <= 1
        default: false
        }
    }
}
