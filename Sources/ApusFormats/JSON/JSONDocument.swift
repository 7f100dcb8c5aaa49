import ApusCore

/// A parsed JSON text: the text itself and a flat list of its values in text order.
///
/// Nothing is decoded while parsing; a value knows where its text stands. So ten megabytes with a million strings cost
/// eight bytes a value and no allocation each. Immutable, thus thread-safe.
final class JSONDocument: Sendable {
    /// Where the text came from, for messages: a path, or a word such as "request".
    let name: String
    let nodes: [JSONNode]
    private let source: Source

    enum Source: Sendable {
        case file(FileBytes)
        case memory([UInt8])

        func withSpan<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
            switch self {
            case .file(let bytes): try bytes.withSpan(body)
            case .memory(let bytes): try body(bytes.span.bytes)
            }
        }
    }

    init(parsing source: Source, name: String) throws {
        nodes = try source.withSpan { span in
            var parser = JSONParser(name: name)
            try parser.parse(span)
            return parser.nodes
        }
        self.name = name
        self.source = source
    }

    func withSpan<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result { try source.withSpan(body) }

    /// The index of the value that follows the one at `index` and all that it contains.
    func index(after index: Int) -> Int {
        let node = nodes[index]
        return node.isContainer ? node.end : index + 1
    }

    /// Where a value stands in the document, for messages: `model.vocab["a b"]`, `merges[3]`; empty for the root.
    func path(to target: Int) -> String {
        var path = ""
        var container = 0
        while container != target {
            let isObject = nodes[container].kind == .object
            var (child, position) = (container + 1, 0)
            while true {
                let value = isObject ? child + 1 : child
                let next = index(after: value)
                guard target >= next else {
                    let key = isObject ? JSONValue(self, child).decodedString.quotedForMessage : "\(position)"
                    path += "[\(key)]"
                    container = value
                    break
                }
                guard next < nodes[container].end else { return path }
                (child, position) = (next, position + 1)
            }
        }
        return path
    }
}
