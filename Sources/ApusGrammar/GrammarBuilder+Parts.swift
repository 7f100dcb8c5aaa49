package import ApusFormats

/// What grammars of whole answers are put together from.
extension GrammarBuilder {
    /// The documents of a JSON Schema.
    /// - Throws: as `JSONSchemaCompiler.compile`.
    package mutating func jsonSchema(_ schema: JSONValue) throws -> GrammarExpression {
        try JSONSchemaCompiler.add(schema, to: &self)
    }

    /// Any JSON object, nested at most 32 deep.
    package mutating func anyObject() throws -> GrammarExpression { try json().object }

    /// The white space that may stand between the tokens of a JSON text.
    package mutating func jsonSpace() throws -> GrammarExpression { try json().space }

    /// The texts of a grammar in llama.cpp's notation.
    /// - Throws: as `GBNFParser.parse`.
    package mutating func gbnf(_ text: String) throws -> GrammarExpression { try GBNFParser.add(text, to: &self) }

    /// Any text in which a marker does not stand.
    /// - Parameter marker: ASCII text.
    package mutating func text(without marker: String) throws -> GrammarExpression {
        try search(for: marker, found: .choice([]), end: .empty)
    }

    /// Any text up to the first place where a marker stands, and the marker.
    /// - Parameter marker: ASCII text; the special token of that name stands for it, too.
    package mutating func text(upTo marker: String) throws -> GrammarExpression {
        try search(for: marker, found: .empty, end: .choice([]))
    }

    /// Any text that begins with none of these characters, white space before it left out; not the empty one.
    package mutating func text(notBeginningWith characters: String) throws -> GrammarExpression {
        let space = CodePointSet([0x09...0x0D, 0x20...0x20])
        let first = CodePointSet.all.subtracting(space).subtracting(CodePointSet(characters.unicodeScalars))
        let any = GrammarExpression.repetition(CodePointSet.all.expression, minimum: 0, maximum: nil)
        return .sequence([.repetition(space.expression, minimum: 0, maximum: nil), first.expression, any])
    }

    /// A rule for each length of the marker's beginning that the text ends with (Knuth, Morris and Pratt, "Fast Pattern
    /// Matching in Strings", 1977).
    private mutating func search(
        for marker: String,
        found: GrammarExpression,
        end: GrammarExpression
    ) throws -> GrammarExpression {
        let pattern = Array(marker.unicodeScalars)
        let rules = try pattern.indices.map { try declare("before \(marker) \($0)") }
        let letters = Set(pattern)
        let others = CodePointSet.all.subtracting(CodePointSet(letters))
        for state in pattern.indices {
            var choices = [end, .sequence([others.expression, .rule(rules[0])])]
            for letter in letters.sorted() {
                let text = pattern[..<state] + [letter]
                let length = (0...state + 1).last { text.suffix($0).elementsEqual(pattern.prefix($0)) } ?? 0
                let next = length == pattern.count ? found : .rule(rules[length])
                choices.append(.sequence([.text(String(letter)), next]))
            }
            choices.append(.sequence([.special(marker), found]))
            try define(rules[state], as: .choice(choices))
        }
        return .rule(rules[0])
    }
}

extension GrammarExpression {
    /// A marker: its text, or the special token of that name.
    package static func marker(_ name: String) -> GrammarExpression { .choice([.text(name), .special(name)]) }

    /// The special token of a name.
    fileprivate static func special(_ name: String) -> GrammarExpression {
        .literal([TokenTrie.specialMark] + name.utf8)
    }
}

extension CodePointSet {
    /// The set of these characters.
    fileprivate init(_ characters: some Sequence<Unicode.Scalar>) { self.init(characters.map { $0.value...$0.value }) }
}
