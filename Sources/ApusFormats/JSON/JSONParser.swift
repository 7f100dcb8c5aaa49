import ApusCore

/// A strict parser of JSON (RFC 8259): UTF-8 only, no comments, no trailing commas, no NaN, bounded in every way.
///
/// It keeps its own stack of open containers, so depth costs no machine stack.
struct JSONParser {
    /// How deep containers may nest.
    static let maximumDepth = 128
    /// How many values a text may have: twice what the largest tokenizer.json needs, and 32 MB of nodes.
    static let maximumValueCount = 1 << 22

    let name: String
    private(set) var nodes: [JSONNode] = []
    var position = 0
    private var open: [Container] = []

    private struct Container {
        let index: Int
        let isObject: Bool
        var count = 0
    }

    private enum Expectation {
        case value
        case valueOrClose
        case key
        case keyOrClose
        case commaOrClose
    }

    init(name: String) { self.name = name }

    /// Parses a whole text; `nodes` holds its values afterwards.
    mutating func parse(_ text: RawSpan) throws {
        guard text.byteCount <= JSONNode.maximumCount else {
            throw ApusError(
                .malformedFile,
                "\(name): JSON: expected at most \(JSONNode.maximumCount) bytes, found \(text.byteCount)"
            )
        }
        nodes.reserveCapacity(min(text.byteCount / 12, Self.maximumValueCount))
        var expectation = Expectation.value
        repeat {
            guard nodes.count < Self.maximumValueCount else {
                throw malformed(text, expected: "at most \(Self.maximumValueCount) values", found: "more")
            }
            expectation = try step(text, expectation)
        } while !(open.isEmpty && expectation == .commaOrClose)
        if nextByte(text) != nil { throw malformed(text, expected: "the end of the text") }
    }

    /// Reads one token in a place where `expectation` is what the grammar allows, and says what it allows next.
    private mutating func step(_ text: RawSpan, _ expectation: Expectation) throws -> Expectation {
        let byte = nextByte(text)
        switch expectation {
        case .valueOrClose where byte == Self.closeBracket, .keyOrClose where byte == Self.closeBrace:
            return close()
        case .value, .valueOrClose:
            return try value(text, byte)
        case .key, .keyOrClose:
            guard byte == Self.quote else {
                throw malformed(text, expected: expectation == .key ? "a key" : "a key or '}'")
            }
            nodes.append(try string(text))
            guard nextByte(text) == Self.colon else { throw malformed(text, expected: "':'") }
            position += 1
            return .value
        case .commaOrClose:
            let isObject = open.last?.isObject ?? false
            if byte == Self.comma {
                position += 1
                return isObject ? .key : .value
            }
            guard byte == (isObject ? Self.closeBrace : Self.closeBracket) else {
                throw malformed(text, expected: isObject ? "',' or '}'" : "',' or ']'")
            }
            return close()
        }
    }

    private mutating func value(_ text: RawSpan, _ byte: UInt8?) throws -> Expectation {
        if !open.isEmpty { open[open.count - 1].count += 1 }
        switch byte {
        case Self.openBrace:
            try open(text, isObject: true)
            return .keyOrClose
        case Self.openBracket:
            try open(text, isObject: false)
            return .valueOrClose
        case Self.quote:
            nodes.append(try string(text))
        case .some(Self.minus), .some(Self.zero...Self.nine):
            nodes.append(try number(text))
        default:
            nodes.append(try literal(text))
        }
        return .commaOrClose
    }

    private mutating func open(_ text: RawSpan, isObject: Bool) throws {
        guard open.count < Self.maximumDepth else {
            throw malformed(text, expected: "containers nested at most \(Self.maximumDepth) deep", found: "more")
        }
        open.append(Container(index: nodes.count, isObject: isObject))
        nodes.append(JSONNode(isObject ? .object : .array, at: 0, count: 0))
        position += 1
    }

    private mutating func close() -> Expectation {
        if let container = open.popLast() {
            let kind: JSONNode.Kind = container.isObject ? .object : .array
            nodes[container.index] = JSONNode(kind, at: nodes.count, count: container.count)
        }
        position += 1
        return .commaOrClose
    }

    /// Skips whitespace; the byte there, or nil at the end.
    private mutating func nextByte(_ text: RawSpan) -> UInt8? {
        while let byte = text.byte(at: position) {
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return byte }
            position += 1
        }
        return nil
    }

    /// The error for the place where the parser stands.
    func malformed(_ text: RawSpan, expected: String, found: String? = nil) -> ApusError {
        var (line, column) = (1, 1)
        for offset in 0..<min(position, text.byteCount) {
            column += 1
            if text.byte(at: offset) == 0x0A { (line, column) = (line + 1, 1) }
        }
        return .malformed(
            name,
            "JSON at line \(line), column \(column)",
            expected: expected,
            found: found ?? describe(text.byte(at: position))
        )
    }

    private func describe(_ byte: UInt8?) -> String {
        guard let byte else { return "the end of the text" }
        if position == 0, byte == 0xEF { return "a byte order mark" }
        return byte > 0x20 && byte < 0x7F ? "'\(Character(Unicode.Scalar(byte)))'" : "byte 0x\(String(byte, radix: 16))"
    }
}

extension JSONParser {
    static let quote = UInt8(ascii: "\"")
    static let backslash = UInt8(ascii: "\\")
    static let colon = UInt8(ascii: ":")
    static let comma = UInt8(ascii: ",")
    static let minus = UInt8(ascii: "-")
    static let zero = UInt8(ascii: "0")
    static let nine = UInt8(ascii: "9")
    static let openBrace = UInt8(ascii: "{")
    static let closeBrace = UInt8(ascii: "}")
    static let openBracket = UInt8(ascii: "[")
    static let closeBracket = UInt8(ascii: "]")
}
