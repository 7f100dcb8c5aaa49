import ApusCore
import ApusFormats

extension JSONSchemaCompiler {
    // MARK: Arrays

    mutating func array(_ keywords: SchemaKeywords, _ depth: Int) throws -> GrammarExpression {
        if let unique = keywords["uniqueItems"], try unique.kind != .bool || unique.bool() {
            throw keywords.unsupported("uniqueItems", "unless it is false")
        }
        let limit = builder.limits.repetition
        let minimum = try keywords.count("minItems", atMost: limit) ?? 0
        let maximum = try keywords.count("maxItems", atMost: limit)
        guard minimum > 0 || maximum != nil || keywords["items"] != nil || keywords["prefixItems"] != nil else {
            return json.array
        }
        if let maximum, maximum < minimum { return .choice([]) }
        var prefix: [GrammarExpression] = []
        let schemas = try keywords["prefixItems"].map { Array(try $0.elements()) } ?? []
        for (index, schema) in schemas.enumerated() {
            let item = try compile(schema, "\(keywords.pointer)/prefixItems/\(index)", depth: depth + 1)
            prefix.append(try builder.add("item", item))
        }
        var item = json.value
        if let items = keywords["items"] {
            item = try builder.add("item", compile(items, "\(keywords.pointer)/items", depth: depth + 1))
        }
        return .sequence([.text("["), json.space, try body(prefix, item, minimum, maximum), .text("]")])
    }

    /// The items with their commas and the space after them: those of `prefix`, then `item` as often as wanted.
    private mutating func body(
        _ prefix: [GrammarExpression],
        _ item: GrammarExpression,
        _ minimum: Int,
        _ maximum: Int?
    ) throws -> GrammarExpression {
        if maximum == 0 { return .empty }
        let leading = Array(prefix.prefix(maximum ?? prefix.count))
        let first = leading.first ?? item
        let fixed = max(leading.count, 1)
        let more = GrammarExpression.sequence([json.comma, item])
        let rest = maximum.map { max(0, $0 - fixed) }
        var tail = GrammarExpression.repetition(more, minimum: max(0, minimum - fixed), maximum: rest)
        // From the last item of the prefix to the second: each may be the last one once there are enough.
        for index in leading.indices.dropFirst().reversed() {
            let next = GrammarExpression.sequence([json.comma, leading[index], tail])
            tail = try builder.add("items", index < minimum ? next : .optional(next))
        }
        let items = GrammarExpression.sequence([first, tail, json.space])
        return minimum == 0 ? .optional(items) : items
    }

    // MARK: Objects

    mutating func object(_ keywords: SchemaKeywords, _ depth: Int) throws -> GrammarExpression {
        let properties = try keywords["properties"].map { try SchemaProperties($0) } ?? SchemaProperties()
        let required = Set(try keywords["required"]?.elements().map { try $0.string() } ?? [])
        if let missing = required.subtracting(properties.names).min() {
            throw keywords.unsupported("required", "for \(missing.shown), which properties does not describe")
        }
        let isFree = properties.names.isEmpty && keywords["additionalProperties"] == nil
        if isFree { return json.object }
        var after = GrammarExpression.empty
        var first = GrammarExpression.empty
        if let member = try additionalMember(keywords, properties.names, depth) {
            let more = GrammarExpression.repetition(.sequence([json.comma, member]), minimum: 0, maximum: nil)
            after = try builder.add("more", more)
            first = .optional(.sequence([member, after, json.space]))
        }
        after = .sequence([after, json.space])
        // From the last member to the first: what may follow once a member stands, and where none stands yet.
        for (name, schema) in zip(properties.names, properties.schemas).reversed() {
            let value = try compile(schema, "\(keywords.pointer)/properties/\(name)", depth: depth + 1)
            let key = GrammarExpression.text(JSONText.literal(name))
            let member = try builder.add("member", .sequence([key, json.colon, value]))
            let asFirst = GrammarExpression.sequence([member, after])
            let asNext = GrammarExpression.sequence([json.comma, member])
            let isRequired = required.contains(name)
            first = isRequired ? asFirst : try builder.add("first", .choice([asFirst, first]))
            after = try builder.add("after", .sequence([isRequired ? asNext : .optional(asNext), after]))
        }
        return .sequence([.text("{"), json.space, first, .text("}")])
    }

    /// A member that `properties` doesn't describe; nil if there may be none.
    private mutating func additionalMember(_ keywords: SchemaKeywords, _ names: [String], _ depth: Int) throws
        -> GrammarExpression?
    {
        var value = json.value
        if let schema = keywords["additionalProperties"] {
            if schema.kind == .bool, !(try schema.bool()) { return nil }
            value = try compile(schema, "\(keywords.pointer)/additionalProperties", depth: depth + 1)
        }
        let key = names.isEmpty ? json.string : try string(otherThan: names)
        return try builder.add("additional", .sequence([key, json.colon, value]))
    }

    /// All strings but these: a tree of the names, which any other character leaves.
    private mutating func string(otherThan names: [String]) throws -> GrammarExpression {
        var tree = NameTree()
        for name in names { tree.insert(name) }
        let free = GrammarExpression.repetition(JSONText.character(in: .all), minimum: 0, maximum: nil)
        let rest = try builder.add("rest", .sequence([free, .text("\"")]))
        var rules: [GrammarExpression] = []
        // Children come after their parents, so they are there when their parent is built.
        for node in tree.nodes.reversed() {
            var choices = node.children.sorted { $0.key < $1.key }.map { scalar, child in
                let set = CodePointSet([scalar.value...scalar.value])
                return GrammarExpression.sequence([JSONText.character(in: set), rules[tree.nodes.count - 1 - child]])
            }
            let taken = CodePointSet(node.children.keys.map { $0.value...$0.value })
            choices.append(.sequence([JSONText.character(in: taken.inverted), rest]))
            if !node.isName { choices.append(.text("\"")) }
            rules.append(try builder.add("name", .choice(choices)))
        }
        return .sequence([.text("\""), rules[rules.count - 1]])
    }
}

/// The members of `properties`, each name once, in order.
private struct SchemaProperties {
    private(set) var names: [String] = []
    private(set) var schemas: [JSONValue] = []

    init() {}

    init(_ value: JSONValue) throws {
        var places: [[UInt8]: Int] = [:]
        for (key, schema) in try value.members() {
            let name = try key.string()
            if let place = places[Array(name.utf8)] {
                schemas[place] = schema
            } else {
                places[Array(name.utf8)] = names.count
                names.append(name)
                schemas.append(schema)
            }
        }
    }
}

/// Names as a tree by their characters.
private struct NameTree {
    struct Node {
        var children: [Unicode.Scalar: Int] = [:]
        var isName = false
    }

    private(set) var nodes = [Node()]

    mutating func insert(_ name: String) {
        var index = 0
        for scalar in name.unicodeScalars {
            if let child = nodes[index].children[scalar] {
                index = child
            } else {
                nodes.append(Node())
                nodes[index].children[scalar] = nodes.count - 1
                index = nodes.count - 1
            }
        }
        nodes[index].isName = true
    }
}
