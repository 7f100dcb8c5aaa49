/// The elements of a JSON array, in order.
///
/// Stepping to the next element takes constant time, `count` too; thread-safe.
public struct JSONArray: Collection, Sendable {
    let value: JSONValue

    /// The number of elements.
    public var count: Int { value.node.count }
    /// The place of the first element.
    public var startIndex: Int { value.index + 1 }
    /// The place after the last element.
    public var endIndex: Int { value.node.end }
    /// The place after an element.
    public func index(after index: Int) -> Int { value.document.index(after: index) }
    /// The element at a place that `index(after:)` gave.
    public subscript(position: Int) -> JSONValue { JSONValue(value.document, position) }
}

/// The members of a JSON object, in the order of the text.
///
/// Stepping to the next member takes constant time, `count` too, a look-up by key a walk over all; thread-safe.
public struct JSONObject: Collection, Sendable {
    let value: JSONValue

    /// The number of members.
    public var count: Int { value.node.count }
    /// The place of the first member.
    public var startIndex: Int { value.index + 1 }
    /// The place after the last member.
    public var endIndex: Int { value.node.end }
    /// The place after a member.
    public func index(after index: Int) -> Int { value.document.index(after: index + 1) }
    /// The member at a place that `index(after:)` gave; the key is a string.
    public subscript(position: Int) -> (key: JSONValue, value: JSONValue) {
        (JSONValue(value.document, position), JSONValue(value.document, position + 1))
    }

    /// The value of a key; of duplicates, the last one's; nil if there is none.
    public subscript(key: String) -> JSONValue? {
        var found: JSONValue?
        for (candidate, value) in self where candidate.hasText(key) { found = value }
        return found
    }
}

extension JSONValue {
    /// Whether a string's text is `text`; false for other kinds.
    fileprivate func hasText(_ text: String) -> Bool {
        // An unescaped string's length decides most comparisons without a look at the text.
        if node.kind == .string, node.count != text.utf8.count { return false }
        return (try? withStringBytes { $0.isEqual(to: text) }) ?? false
    }
}
