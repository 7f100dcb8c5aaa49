/// What `namespace()` makes: the one value whose attributes a template can set.
final class NamespaceValue: TemplateObject {
    let typeName = "TemplateNamespace"
    private var attributes: [String: Value] = [:]

    init(_ dict: DictValue) {
        for (key, value) in zip(dict.keys, dict.values) {
            if let name = key.text?.string { attributes[name] = value }
        }
    }

    func set(_ name: String, _ value: Value) throws {
        try NamespaceValue.check(name)
        attributes[name] = value
    }

    static func check(_ name: String) throws {
        if name.utf8.first == UInt8(ascii: "_") {
            throw TemplateFailure(
                "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '\(name)'. "
                    + "Please rename the attribute.")
        }
    }

    func attribute(_ name: String, _ interpreter: Interpreter) -> Value? { attributes[name] }

    /// Forgets all attributes, which ends reference cycles.
    func clear() { attributes = [:] }
}
