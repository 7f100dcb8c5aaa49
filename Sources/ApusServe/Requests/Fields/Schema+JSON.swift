import ApusFormats

extension Schema {
    /// Writes the schema as JSON Schema, draft 2020-12, which OpenAPI 3.1 uses.
    func write(to writer: inout JSONWriter, summary: String? = nil, isNullable: Bool = false) {
        if isNullable, !allowsNull {
            return Schema.writeNullable(self, summary, &writer)
        }
        writer.object { writer in
            if let summary { writer.member("description", summary) }
            writeMembers(to: &writer)
        }
    }

    private var allowsNull: Bool {
        if case .any = self { return true }
        return false
    }

    private static func writeNullable(_ schema: Schema, _ summary: String?, _ writer: inout JSONWriter) {
        writer.object { writer in
            if let summary { writer.member("description", summary) }
            writer.key("anyOf")
            writer.array { writer in
                schema.write(to: &writer)
                writer.object { $0.member("type", "null") }
            }
        }
    }

    private func writeMembers(to writer: inout JSONWriter) {
        switch self {
        case .any: return
        case .boolean: writer.member("type", "boolean")
        case .constant(let value):
            writer.key("const")
            writer.value(value)
        case .integer(let range):
            writer.member("type", "integer")
            writer.member("minimum", range.lowerBound)
            if range.upperBound != .max { writer.member("maximum", range.upperBound) }
        case .number(let range):
            writer.member("type", "number")
            writer.member("minimum", range.lowerBound)
            writer.member("maximum", range.upperBound)
        case .string: writer.member("type", "string")
        case .choice(let names):
            writer.member("type", "string")
            writer.key("enum")
            writer.array { writer in for name in names { writer.value(name) } }
        case .array(let element, let counts):
            writer.member("type", "array")
            writer.member("minItems", counts.lowerBound)
            if counts.upperBound != .max { writer.member("maxItems", counts.upperBound) }
            writer.key("items")
            element.write(to: &writer)
        case .dictionary(let member):
            writer.member("type", "object")
            writer.key("additionalProperties")
            member.write(to: &writer)
        case .object(let properties): Schema.write(properties, to: &writer)
        case .oneOf(let schemas):
            writer.key("anyOf")
            writer.array { writer in for schema in schemas { schema.write(to: &writer) } }
        }
    }

    private static func write(_ properties: [Property], to writer: inout JSONWriter) {
        writer.member("type", "object")
        writer.key("properties")
        writer.object { writer in
            for property in properties {
                writer.key(property.name)
                property.schema.write(to: &writer, isNullable: !property.isRequired)
            }
        }
        writer.key("required")
        writer.array { writer in for property in properties where property.isRequired { writer.value(property.name) } }
        writer.member("additionalProperties", false)
    }
}
