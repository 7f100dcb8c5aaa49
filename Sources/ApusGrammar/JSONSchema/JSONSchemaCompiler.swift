import ApusCore
package import ApusFormats

/// Compiles a JSON Schema (2020-12) into a grammar of exactly those texts it can enforce.
///
/// Members come in the schema's order. What isn't enforced is refused by name; annotations are accepted. Strings of
/// `enum`, `const` and member names have one spelling. White space and numbers are bounded, see `JSONText`.
package struct JSONSchemaCompiler {
    var builder: GrammarBuilder
    let json: JSONText
    private let root: JSONValue
    private var references: [String: Int] = [:]
    private var pending: [(rule: Int, schema: JSONValue, pointer: String)] = []
    private var schemaCount = 0

    private static let largestReferenceCount = 1_000
    static let annotations: Set<String> = [
        "title", "description", "default", "examples", "$schema", "$id", "$comment", "$defs", "definitions",
        "deprecated", "readOnly", "writeOnly",
    ]

    /// The grammar of a schema's documents.
    /// - Throws: `ApusError` with code `invalidArgument` or `unsupported`, naming keyword and JSON pointer.
    package static func compile(_ schema: JSONValue, limits: GrammarLimits = GrammarLimits()) throws -> GrammarRules {
        var builder = GrammarBuilder(limits: limits, source: "schema")
        let root = try builder.jsonSchema(schema)
        return try builder.grammar(root)
    }

    /// The grammar of any object, nested at most 32 deep: `json_object`.
    package static func anyObject(limits: GrammarLimits = GrammarLimits()) throws -> GrammarRules {
        var builder = GrammarBuilder(limits: limits, source: "json_object")
        let root = try builder.anyObject()
        return try builder.grammar(root)
    }

    private init(_ schema: JSONValue, _ builder: GrammarBuilder) throws {
        root = schema
        self.builder = builder
        json = try self.builder.json()
    }

    /// Adds the rules of a schema to a grammar.
    static func add(_ schema: JSONValue, to builder: inout GrammarBuilder) throws -> GrammarExpression {
        var compiler = try JSONSchemaCompiler(schema, builder)
        let rule = try compiler.reference("#", at: "#")
        while let (rule, schema, pointer) = compiler.pending.popLast() {
            try compiler.builder.define(rule, as: compiler.compile(schema, pointer, depth: 0))
        }
        builder = compiler.builder
        return .rule(rule)
    }

    // MARK: Schemas

    mutating func compile(_ schema: JSONValue, _ pointer: String, depth: Int) throws -> GrammarExpression {
        schemaCount += 1
        guard depth <= builder.limits.nestingDepth, schemaCount <= builder.limits.nodeCount / 16 else {
            throw ApusError(.invalidArgument, "schema at \(pointer.shown): expected less nesting and fewer subschemas")
        }
        if schema.kind == .bool { return try schema.bool() ? json.value : .choice([]) }
        let keywords = try SchemaKeywords(schema, pointer)
        for (name, compile) in Self.exclusive where keywords[name] != nil {
            return try compile(&self, keywords, depth)
        }
        let types = try keywords.types() ?? SchemaType.allCases.filter { $0 != .integer }
        try keywords.refuseAll(except: Self.enforced)
        return .choice(try types.map { try compile($0, keywords, depth) })
    }

    private typealias Rule = @Sendable (inout JSONSchemaCompiler, SchemaKeywords, Int) throws -> GrammarExpression

    /// Keywords that stand alone, beside `type` where it only selects values.
    private static let exclusive: [(String, Rule)] = [
        (
            "$ref",
            { compiler, keywords, _ in
                try keywords.refuseAll(except: ["$ref"])
                return .rule(try compiler.reference(keywords.value("$ref").string(), at: keywords.pointer))
            }
        ),
        ("enum", { compiler, keywords, _ in try compiler.values(keywords) }),
        ("const", { compiler, keywords, _ in try compiler.values(keywords) }),
        ("anyOf", { compiler, keywords, depth in try compiler.alternatives("anyOf", keywords, depth) }),
        (
            "oneOf",
            { compiler, keywords, depth in
                try compiler.checkDisjoint(keywords)
                return try compiler.alternatives("oneOf", keywords, depth)
            }
        ),
        (
            "allOf",
            { compiler, keywords, depth in
                guard try keywords.value("allOf").elements().count == 1 else {
                    throw keywords.unsupported("allOf", "with other than one schema")
                }
                return try compiler.alternatives("allOf", keywords, depth)
            }
        ),
    ]

    static let enforced: Set<String> = [
        "type", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems", "maxItems",
        "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
        "multipleOf", "uniqueItems",
    ]

    private mutating func compile(_ type: SchemaType, _ keywords: SchemaKeywords, _ depth: Int) throws
        -> GrammarExpression
    {
        switch type {
        case .null: JSONText.null
        case .boolean: JSONText.boolean
        case .integer: try integer(keywords)
        case .number: try number(keywords)
        case .string: try string(keywords)
        case .array: try array(keywords, depth)
        case .object: try object(keywords, depth)
        }
    }

    private mutating func alternatives(_ name: String, _ keywords: SchemaKeywords, _ depth: Int) throws
        -> GrammarExpression
    {
        try keywords.refuseAll(except: [name])
        var choices: [GrammarExpression] = []
        for (index, schema) in try keywords.value(name).elements().enumerated() {
            choices.append(try compile(schema, "\(keywords.pointer)/\(name)/\(index)", depth: depth + 1))
        }
        guard !choices.isEmpty else { throw keywords.invalid(name, "at least one schema") }
        return .choice(choices)
    }

    /// `enum` and `const`: the values, of the wanted types only.
    private func values(_ keywords: SchemaKeywords) throws -> GrammarExpression {
        try keywords.refuseAll(except: ["enum", "const", "type"])
        guard keywords["enum"] == nil || keywords["const"] == nil else {
            throw keywords.unsupported("const", "with enum")
        }
        let types = try keywords.types()
        let values = try keywords["const"].map { [$0] } ?? Array(keywords.value("enum").elements())
        let wanted = values.filter { value in types?.contains { $0.includes(value) } ?? true }
        return .choice(try wanted.map { try literal($0, keywords) })
    }

    private func literal(_ value: JSONValue, _ keywords: SchemaKeywords) throws -> GrammarExpression {
        func list(_ open: String, _ items: [GrammarExpression], _ close: String) -> GrammarExpression {
            let separated = items.enumerated().map { $0 == 0 ? $1 : .sequence([json.comma, $1]) }
            return .sequence([.text(open), json.space] + separated + [json.space, .text(close)])
        }
        switch value.kind {
        case .array:
            return list("[", try value.elements().map { try literal($0, keywords) }, "]")
        case .object:
            let items = try value.members().map { key, value in
                try GrammarExpression.sequence([literal(key, keywords), json.colon, literal(value, keywords)])
            }
            return list("{", items, "}")
        default:
            return .text(try value.scalarText(keywords))
        }
    }

    // MARK: References

    /// The rule of the schema that a reference points to.
    mutating func reference(_ text: String, at pointer: String) throws -> Int {
        if let rule = references[text] { return rule }
        guard references.count < Self.largestReferenceCount else {
            throw ApusError(.invalidArgument, "schema: expected at most \(Self.largestReferenceCount) references")
        }
        let rule = try builder.declare(text.shown)
        references[text] = rule
        pending.append((rule, try resolve(text, at: pointer), text))
        return rule
    }

    func resolve(_ text: String, at pointer: String) throws -> JSONValue {
        guard text == "#" || text.hasPrefix("#/"), !text.contains("%") else {
            throw ApusError(
                .unsupported,
                "schema at \(pointer.shown): $ref \(text.shown) is not supported; point into this schema with #/…"
            )
        }
        var value = root
        for part in text.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let name = part.replacingAll("~1", "/").replacingAll("~0", "~")
            let next: JSONValue? =
                switch value.kind {
                case .object: try value.members()[name]
                case .array: try Int(name).flatMap { index in try value.elements().dropFirst(max(0, index)).first }
                default: nil
                }
            guard let next else {
                throw ApusError(.invalidArgument, "schema at \(pointer.shown): $ref \(text.shown) points nowhere")
            }
            value = next
        }
        return value
    }
}
