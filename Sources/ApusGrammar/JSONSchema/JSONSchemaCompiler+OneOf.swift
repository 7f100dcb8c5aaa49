import ApusCore
import ApusFormats

extension JSONSchemaCompiler {
    private static let largestOneOf = 100

    /// Makes sure that no value matches two alternatives of `oneOf`, so that it means what `anyOf` does.
    func checkDisjoint(_ keywords: SchemaKeywords) throws {
        let schemas = try keywords.value("oneOf").elements().map { try dereferenced($0, keywords.pointer) }
        guard schemas.count <= Self.largestOneOf else {
            throw keywords.invalid("oneOf", "at most \(Self.largestOneOf) schemas")
        }
        let shapes = try schemas.map { try SchemaShape($0, keywords.pointer) }
        for (index, left) in shapes.enumerated() {
            for right in shapes.dropFirst(index + 1) where !left.isDisjoint(from: right) {
                throw keywords.unsupported(
                    "oneOf",
                    "unless the schemas differ in type, or in a required property with const or enum; use anyOf"
                )
            }
        }
    }

    private func dereferenced(_ schema: JSONValue, _ pointer: String) throws -> JSONValue {
        var schema = schema
        for _ in 0..<16 {
            guard schema.kind == .object, let target = try schema.members()["$ref"] else { return schema }
            schema = try resolve(target.string(), at: pointer)
        }
        return schema
    }
}

/// What can be told of a schema's values at a glance.
private struct SchemaShape {
    /// Nil for any.
    private var types: Set<SchemaType>?
    /// The values, where they are listed.
    private var values: Set<String>?
    /// The values that required properties are limited to.
    private var tags: [String: Set<String>] = [:]

    init(_ schema: JSONValue, _ pointer: String) throws {
        guard schema.kind == .object else { return }
        let keywords = try SchemaKeywords(schema, pointer)
        types = try keywords.types().map { Set($0) }
        values = try Self.values(keywords)
        guard types == [.object], let properties = keywords["properties"] else { return }
        for name in try keywords["required"]?.elements().map({ try $0.string() }) ?? [] {
            guard let property = try properties.members()[name], property.kind == .object else { continue }
            tags[name] = try Self.values(SchemaKeywords(property, pointer))
        }
    }

    /// The scalars of `const` or `enum`; nil if there are none or others.
    private static func values(_ keywords: SchemaKeywords) throws -> Set<String>? {
        let values = try keywords["const"].map { [$0] } ?? keywords["enum"].map { Array(try $0.elements()) }
        guard let values, values.allSatisfy({ $0.kind != .array && $0.kind != .object }) else { return nil }
        return Set(try values.map { try $0.scalarText(keywords) })
    }

    func isDisjoint(from other: SchemaShape) -> Bool {
        if let types, let others = other.types {
            let overlap = types.contains { type in
                others.contains(type) || type == .integer && others.contains(.number)
                    || type == .number && others.contains(.integer)
            }
            if !overlap { return true }
        }
        if let values, let others = other.values, values.isDisjoint(with: others) { return true }
        return tags.contains { name, values in other.tags[name].map { values.isDisjoint(with: $0) } ?? false }
    }
}
