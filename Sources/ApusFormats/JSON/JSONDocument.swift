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

/// One value of a document, in eight bytes.
///
/// A scalar keeps the offset and length of its text (a string's without the quotes), a container the index of the node
/// after its last descendant and the number of its members or elements. An object's members are two nodes each.
struct JSONNode: Sendable {
    enum Kind: UInt32 {
        case null
        case `false`
        case `true`
        case integer
        case double
        case string
        case escapedString
        case array
        case object
    }

    private let position: UInt32
    private let kindAndCount: UInt32

    static let maximumCount = (1 << 28) - 1

    init(_ kind: Kind, at position: Int, count: Int) {
        self.position = UInt32(truncatingIfNeeded: position)
        kindAndCount = kind.rawValue << 28 | UInt32(truncatingIfNeeded: count)
    }

    var kind: Kind { Kind(rawValue: kindAndCount >> 28) ?? .null }
    /// Bytes of a scalar's text; elements of an array; members of an object.
    var count: Int { Int(kindAndCount & 0x0FFF_FFFF) }
    /// Where a scalar's text starts.
    var offset: Int { Int(position) }
    /// The index of the node after a container's last descendant.
    var end: Int { Int(position) }
    var isContainer: Bool { kindAndCount >> 28 >= Kind.array.rawValue }
}
