/// A piece of template source with the line it starts on.
struct Token: Equatable {
    enum Kind: Equatable {
        /// Text outside tags, printed as it is.
        case data([UInt8])
        case variableBegin
        case variableEnd
        case blockBegin
        case blockEnd
        case name(String)
        case string([UInt8])
        case integer(Int)
        case float(Double)
        case symbol(Symbol)
        case end
    }

    /// Operators and punctuation, longest first where one begins another.
    enum Symbol: String, CaseIterable {
        case power = "**"
        case floorDivide = "//"
        case equal = "=="
        case notEqual = "!="
        case greaterOrEqual = ">="
        case lessOrEqual = "<="
        case add = "+"
        case subtract = "-"
        case multiply = "*"
        case divide = "/"
        case remainder = "%"
        case tilde = "~"
        case leftBracket = "["
        case rightBracket = "]"
        case leftParenthesis = "("
        case rightParenthesis = ")"
        case leftBrace = "{"
        case rightBrace = "}"
        case greater = ">"
        case less = "<"
        case assign = "="
        case dot = "."
        case colon = ":"
        case pipe = "|"
        case comma = ","
        case semicolon = ";"
    }

    let kind: Kind
    let line: Int

    /// How error messages name the token.
    var description: String {
        switch kind {
        case .data: "template data"
        case .variableBegin: "begin of print statement"
        case .variableEnd: "end of print statement"
        case .blockBegin: "begin of statement block"
        case .blockEnd: "end of statement block"
        case .name(let name): name
        case .string(let utf8): String(decoding: utf8.prefix(40), as: UTF8.self)
        case .integer(let value): String(value)
        case .float(let value): value.pythonRepresentation
        case .symbol(let symbol): symbol.rawValue
        case .end: "end of template"
        }
    }
}
