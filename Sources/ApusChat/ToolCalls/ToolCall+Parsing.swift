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
        self.name = name
        guard let value = member(call, "arguments", "parameters") else {
            arguments = "{}"
            return
        }
        if value.kind == .string, let text = try? value.string() {
            guard let inner = try? JSONValue(parsing: Array(text.utf8), name: "arguments"), inner.kind == .object else {
                return nil
            }
            arguments = text
        } else {
            guard value.kind == .object else { return nil }
            var writer = JSONWriter(.compact)
            writer.value(value)
            arguments = writer.text
        }
    }

    /// The calls behind `[TOOL_CALLS]`; nil if they are none.
    static func mistralCalls(in bytes: ArraySlice<UInt8>) -> [ToolCall]? {
        if let calls = calls(in: bytes) { return calls }
        var calls: [ToolCall] = []
        for part in bytes.split(separator: "[TOOL_CALLS]") {
            guard let mark = part.firstRange(of: "[ARGS]", from: part.startIndex) else { return nil }
            let name = String(decoding: part[..<mark.lowerBound].trimmed, as: UTF8.self)
            let arguments = part[mark.upperBound...].trimmed
            guard !name.isEmpty, (try? JSONValue(parsing: Array(arguments), name: "arguments"))?.kind == .object else {
                return nil
            }
            calls.append(ToolCall(name: name, arguments: String(decoding: arguments, as: UTF8.self)))
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
        for part in body.split(separator: UInt8(ascii: ";")) {
            guard let calls = calls(in: part) else { return nil }
            all += calls
        }
        return all.isEmpty ? nil : all
    }
}

extension ArraySlice<UInt8> {
    /// The bytes without white space at either end.
    var trimmed: ArraySlice<UInt8> {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        return drop(while: isSpace).reversed().drop(while: isSpace).reversed()[...]
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

    /// The parts between occurrences of `text`, empty ones left out.
    func split(separator text: String) -> [ArraySlice<UInt8>] {
        var parts: [ArraySlice<UInt8>] = []
        var start = startIndex
        while let range = firstRange(of: text, from: start) {
            parts.append(self[start..<range.lowerBound])
            start = range.upperBound
        }
        parts.append(self[start...])
        return parts.filter { !$0.trimmed.isEmpty }
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
