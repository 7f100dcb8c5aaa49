import ApusCore
import ApusFormats

/// The post-processors of a `tokenizer.json`: what frames a single text.
struct JSONPostProcessor {
    private let components: [JSONValue]
    private let entries: JSONVocabularyEntries

    init(_ value: JSONValue?, _ entries: JSONVocabularyEntries) throws {
        components = try value?.flattened("processors") ?? []
        self.entries = entries
    }

    /// The ids before a text, and those after it.
    func frame() throws -> (prefix: [Int32], suffix: [Int32]) {
        var frame: (prefix: [Int32], suffix: [Int32]) = ([], [])
        for component in components {
            switch try component.componentType() {
            case "ByteLevel": continue  // Moves offsets, not ids.
            case "TemplateProcessing": frame = try template(component)
            case "BertProcessing", "RobertaProcessing":
                frame = ([try id(component.member("cls"))], [try id(component.member("sep"))])
            case let type: throw component.unsupported("post_processor \(type)")
            }
        }
        return frame
    }

    private func template(_ component: JSONValue) throws -> (prefix: [Int32], suffix: [Int32]) {
        let known = try component.member("special_tokens")
        var frame: (prefix: [Int32], suffix: [Int32]) = ([], [])
        var isAfterText = false
        for piece in try component.member("single").elements() {
            guard let special = try piece.memberIfPresent("SpecialToken") else {
                isAfterText = true
                continue
            }
            let name = try special.member("id").string()
            let ids = try known.member(name).member("ids").elements().map { try check($0.integer()) }
            if isAfterText { frame.suffix += ids } else { frame.prefix += ids }
        }
        return frame
    }

    /// The id in a pair of text and id.
    private func id(_ pair: JSONValue) throws -> Int32 {
        guard let last = Array(try pair.elements()).last else {
            throw ApusError(.malformedFile, "post_processor: expected a token and its id, found nothing")
        }
        return try check(last.integer())
    }

    private func check(_ id: Int) throws -> Int32 {
        guard id >= 0, id < entries.count else {
            throw ApusError(.malformedFile, "post_processor: expected ids below \(entries.count), found \(id)")
        }
        return Int32(truncatingIfNeeded: id)
    }
}
