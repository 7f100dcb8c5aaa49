package import ApusFormats

/// A field of a request's body.
package struct Field: Sendable {
    package let name: String
    package let schema: Schema
    package let summary: String
    package let isRequired: Bool
    /// It cannot change the answer: accepted, and named in a warning header.
    package let isIgnored: Bool

    package init(
        _ name: String,
        _ schema: Schema,
        _ summary: String,
        isRequired: Bool = false,
        isIgnored: Bool = false
    ) {
        self.name = name
        self.schema = schema
        self.summary = summary
        self.isRequired = isRequired
        self.isIgnored = isIgnored
    }

    /// A field that cannot change the answer.
    package static func ignored(_ name: String, _ schema: Schema, _ summary: String) -> Field {
        Field(name, schema, summary, isIgnored: true)
    }
}

/// All fields that a request may have: what decodes it and what describes it.
package struct FieldTable: Sendable {
    package let name: String
    package let fields: [Field]
    /// Fields of the dialect that are refused, with the reason.
    package let refused: [String: String]

    package init(_ name: String, _ fields: [Field], refused: [String: String] = [:]) {
        self.name = name
        self.fields = fields
        self.refused = refused
    }

    /// Checks a body.
    /// - Throws: `ServiceError` naming the field: unknown, unsupported, standing twice, missing or with a wrong value.
    package func read(_ json: JSONValue) throws -> FieldValues {
        guard json.kind == .object else {
            throw ServiceError(.invalidRequest, "the body: expected a JSON object, found \(json.kind.rawValue)")
        }
        try json.refuseDuplicateKeys()
        for (key, value) in try json.members() {
            if let reason = refused[try key.string()], !value.isNull {
                let name = try key.string()
                throw ServiceError(.unsupported, "\(name): not supported: \(reason)", field: name)
            }
        }
        // A refused field may stand there as null, which asks for nothing.
        let properties =
            fields.map { Schema.Property($0.name, $0.schema, isRequired: $0.isRequired) }
            + refused.keys.map { Schema.Property($0, .any) }
        try Schema.object(properties).check(json, at: "")
        var values: [String: JSONValue] = [:]
        for (key, value) in try json.members() where !value.isNull { values[try key.string()] = value }
        return FieldValues(
            values: values,
            ignored: fields.filter { $0.isIgnored && values[$0.name] != nil }.map(\.name)
        )
    }

    /// The table as a schema.
    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("type", "object")
            writer.objectMember("properties") { writer in
                for field in fields {
                    writer.key(field.name)
                    field.schema.write(to: &writer, summary: field.summary, isNullable: !field.isRequired)
                }
            }
            writer.arrayMember("required") { writer in
                for field in fields where field.isRequired { writer.value(field.name) }
            }
            writer.member("additionalProperties", false)
        }
    }
}

/// The checked fields of a body; `null` counts as absent.
package struct FieldValues: Sendable {
    /// The fields of an empty body.
    package static let none = FieldValues(values: [:], ignored: [])

    let values: [String: JSONValue]
    /// The names of fields that were accepted although they do nothing.
    package let ignored: [String]

    /// A field's value.
    package subscript(field: Field) -> JSONValue? { values[field.name] }

    package func integer(_ field: Field) -> Int? { self[field]?.wholeNumber }
    package func double(_ field: Field) -> Double? { self[field]?.number }
    package func float(_ field: Field) -> Float? { double(field).map { Float($0) } }
    package func bool(_ field: Field) -> Bool? { self[field].flatMap { try? $0.bool() } }
    package func string(_ field: Field) -> String? { self[field]?.text }

    /// The value of a field that is a string or an array of strings.
    package func strings(_ field: Field) -> [String]? {
        guard let value = self[field] else { return nil }
        if let one = value.text { return [one] }
        return (try? value.elements())?.compactMap(\.text)
    }
}
