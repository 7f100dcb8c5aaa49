/// An expression's syntax tree.
///
/// Operators of one precedence form one node with a list, so that the tree is never
/// deeper than the source's brackets.
indirect enum Expression: Sendable {
    case constant(Constant)
    case name(String)
    case list([Expression])
    case tuple([Expression])
    case dict([(key: Expression, value: Expression)])
    case not(Expression)
    case negative(Expression)
    case positive(Expression)
    case or([Expression])
    case and([Expression])
    case compare(Expression, [(Comparison, Expression)])
    case arithmetic(Expression, [(ArithmeticOperator, Expression)])
    case concatenation([Expression])
    /// A value followed by attributes, subscripts, calls, filters and tests.
    case chain(Expression, [Suffix])
    /// `value if tests[0] if tests[1] … else otherwise`; the `else` belongs to the last test.
    case conditional(Expression, tests: [Expression], otherwise: Expression?)

    enum Constant: Sendable {
        case none
        case bool(Bool)
        case int(Int)
        case float(Double)
        case string([UInt8])
    }

    enum Comparison: String, Sendable {
        case equal = "=="
        case notEqual = "!="
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case isIn = "in"
        case notIn = "not in"
    }

    /// What follows a value, with its line for error messages.
    struct Suffix: Sendable {
        enum Kind: Sendable {
            case attribute(String)
            case item(Expression)
            case slice(start: Expression?, stop: Expression?, step: Expression?)
            case call(CallArguments)
            case filter(String, CallArguments)
            case test(String, CallArguments, isNegated: Bool)
        }

        let kind: Kind
        let line: Int
    }

    /// The arguments of a call: `f(1, x=2, *list, **dict)`.
    struct CallArguments: Sendable {
        var positional: [Expression] = []
        var keyword: [(name: String, value: Expression)] = []
        var variadic: Expression?
        var keywordVariadic: Expression?
    }
}
