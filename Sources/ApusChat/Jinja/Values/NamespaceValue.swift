/// What `namespace()` makes: the one value whose attributes a template can set.
final class NamespaceValue: TemplateObject {
    let typeName = "TemplateNamespace"
    private var attributes: DictValue
    private var isPrinting = false

    init(_ attributes: DictValue) { self.attributes = attributes }

    func set(_ name: String, _ value: Value) throws {
        try NamespaceValue.check(name)
        attributes.set(Text(name), value)
    }

    static func check(_ name: String) throws {
        if name.utf8.first == UInt8(ascii: "_") {
            throw TemplateFailure(
                "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '\(name)'. "
                    + "Please rename the attribute."
            )
        }
    }

    func attribute(_ name: String, _ interpreter: Interpreter) -> Value? { attributes.value(for: Text(name)) }

    func representation(meter: Meter) throws -> String {
        // Namespaces may hold one another in a circle.
        if isPrinting { throw TemplateFailure("maximum recursion depth exceeded while printing a namespace") }
        isPrinting = true
        defer { isPrinting = false }
        return "<Namespace \(try Value.dict(attributes).representation(meter: meter))>"
    }

    /// Forgets all attributes, which ends reference cycles.
    func clear() { attributes = DictValue() }
}
