import ApusFormats

extension ToolCall {
    /// The calls of a JSON text: an object or a list of them; nil if it is anything else.
    static func calls(in bytes: some Collection<UInt8>) -> [ToolCall]? {
        guard let json = try? JSONValue(parsing: Array(bytes), name: "call") else { return nil }
        if json.kind == .array, let elements = try? json.elements(), !elements.isEmpty {
            let calls = elements.compactMap { ToolCall($0) }
            return calls.count == elements.count ? calls : nil
        }
        return ToolCall(json).map { [$0] }
    }

    /// Reads `{"name": …, "arguments": …}`, also wrapped as `function` or `tool_call`, and `parameters` for arguments.
    private init?(_ json: JSONValue) {
        guard json.kind == .object else { return nil }
        func member(_ value: JSONValue, _ names: String...) -> JSONValue? {
            for name in names {
                if let found = try? value.memberIfPresent(name) { return found }
            }
            return nil
        }
        let call = member(json, "tool_call", "function").flatMap { $0.kind == .object ? $0 : nil } ?? json
        guard let name = try? member(call, "name")?.string(), !name.isEmpty else { return nil }
        guard let value = member(call, "arguments", "parameters") else {
            self.init(name: name, arguments: "{}")
            return
        }
        if value.kind == .string, let text = try? value.string() {
            guard let inner = try? JSONValue(parsing: Array(text.utf8), name: "arguments"), inner.kind == .object else {
                return nil
            }
            self.init(name: name, arguments: text)
        } else {
            guard value.kind == .object else { return nil }
            self.init(name: name, arguments: value)
        }
    }

    private init(name: String, arguments: JSONValue) {
        var writer = JSONWriter(.compact)
        writer.value(arguments)
        self.init(name: name, arguments: writer.text)
    }

    /// The calls behind `[TOOL_CALLS]`; nil if they are none.
    static func mistralCalls(in bytes: ArraySlice<UInt8>) -> [ToolCall]? {
        if let calls = calls(in: bytes) { return calls }
        var calls: [ToolCall] = []
        for part in bytes.split(separator: "[TOOL_CALLS]") {
            guard let mark = part.firstRange(of: "[ARGS]", from: part.startIndex) else { return nil }
            let name = String(decoding: part[..<mark.lowerBound].trimmed, as: UTF8.self)
            let arguments = try? JSONValue(parsing: Array(part[mark.upperBound...]), name: "arguments")
            guard !name.isEmpty, let arguments, arguments.kind == .object else { return nil }
            calls.append(ToolCall(name: name, arguments: arguments))
        }
        return calls.isEmpty ? nil : calls
    }

    /// The calls of an answer that is nothing else; nil if it is something else.
    static func wholeAnswer(_ bytes: ArraySlice<UInt8>) -> [ToolCall]? {
        let tag = Array("<|python_tag|>".utf8)
        let text = bytes.trimmed
        let body = text.starts(with: tag) ? text.dropFirst(tag.count) : text
        if let calls = calls(in: body) { return calls }
        var all: [ToolCall] = []
        for part in body.split(separator: ";") {
            guard let calls = calls(in: part) else { return nil }
            all += calls
        }
        return all.isEmpty ? nil : all
    }
}

/// How far a JSON text has been read, and whether that is within a string.
struct StringScan: Sendable {
    private(set) var offset = 0
    private(set) var isInString = false
    private var isEscaped = false

    /// Goes on over one byte.
    mutating func take(_ byte: UInt8) {
        offset += 1
        if isEscaped {
            isEscaped = false
        } else if byte == UInt8(ascii: "\"") {
            isInString.toggle()
        } else {
            isEscaped = isInString && byte == UInt8(ascii: "\\")
        }
    }
}

extension ArraySlice<UInt8> {
    /// The bytes without white space at either end.
    var trimmed: ArraySlice<UInt8> {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        return drop(while: isSpace).reversed().drop(while: isSpace).reversed()[...]
    }

    /// Where `text` first stands outside the strings of a JSON text, from where the scan is on; the scan goes up to it.
    func firstRange(of text: String, outsideStrings scan: inout StringScan) -> Range<Int>? {
        let pattern = Array(text.utf8)
        while startIndex + scan.offset + pattern.count <= endIndex {
            let index = startIndex + scan.offset
            if !scan.isInString, self[index..<index + pattern.count].elementsEqual(pattern) {
                return index..<index + pattern.count
            }
            scan.take(self[index])
        }
        return nil
    }

    /// Where `text` first stands at or after `start`.
    func firstRange(of text: String, from start: Int) -> Range<Int>? {
        let pattern = Array(text.utf8)
        guard let first = pattern.first else { return nil }
        var index = Swift.max(start, startIndex)
        while index + pattern.count <= endIndex {
            if self[index] == first, self[index..<index + pattern.count].elementsEqual(pattern) {
                return index..<index + pattern.count
            }
            index += 1
        }
        return nil
    }

    /// The parts between occurrences of `text` outside strings, empty ones left out.
    func split(separator text: String) -> [ArraySlice<UInt8>] {
        var parts: [ArraySlice<UInt8>] = []
        var rest = self
        var scan = StringScan()
        while let range = rest.firstRange(of: text, outsideStrings: &scan) {
            parts.append(rest[..<range.lowerBound])
            rest = rest[range.upperBound...]
            scan = StringScan()
        }
        return (parts + [rest]).filter { !$0.trimmed.isEmpty }
    }

    /// How many bytes at the end may be the beginning of `text`.
    func suffixLength(beginning text: String) -> Int {
        let pattern = Array(text.utf8)
        for length in stride(from: Swift.min(count, pattern.count - 1), to: 0, by: -1)
        where suffix(length).elementsEqual(pattern.prefix(length)) {
            return length
        }
        return 0
    }
}
