internal import ApusFormats

/// What a text must look like, enforced token by token while it is generated.
///
/// Compiled once, used for any number of answers. What a grammar cannot enforce is refused, never ignored; JSON has the
/// spelling that docs/grammar.md states. Thread-safe: immutable.
///
/// ```swift
/// let schema = #"{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}"#
/// let options = GenerationOptions(grammar: try Grammar(jsonSchema: schema))
/// ```
public final class Grammar: Sendable {
    package let rules: GrammarRules

    package init(_ rules: GrammarRules) { self.rules = rules }

    /// The documents of a JSON Schema (2020-12).
    /// - Parameter text: the schema as JSON.
    /// - Throws: `ApusError`: `malformedFile` for what is no JSON, `invalidArgument` or `unsupported` naming keyword and
    ///   place for what cannot be enforced.
    public convenience init(jsonSchema text: String) throws {
        self.init(try JSONSchemaCompiler.compile(JSONValue(parsing: Array(text.utf8), name: "schema")))
    }

    /// The texts of a grammar in llama.cpp's notation, GBNF; its rule `root` is the whole text.
    /// - Throws: `ApusError`: `invalidArgument` or `unsupported`, naming line and column.
    public convenience init(gbnf text: String) throws { self.init(try GBNFParser.parse(text)) }
}
