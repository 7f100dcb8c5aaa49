import ApusFormats

/// Tells, byte by byte, whether an answer may still be nothing but one call of a known function: an object
/// `{"name": …, "arguments": …}`, or `parameters` for arguments, bare or in a fenced block of code.
///
/// Qwen2.5-Coder calls so where its template asks for marks. A value; bytes are read once.
struct PlainCallScan: Sendable {
    /// How many bytes were taken.
    private(set) var offset = 0
    private var readings: [Reading]

    /// Creates a scan.
    /// - Parameter names: the functions; others cannot be called.
    init(names: [String]) {
        let quoted = names.map { name in
            var writer = JSONWriter(.compact)
            writer.value(name)
            return writer.text
        }
        let object: [Part] = [
            .word(["{"]), .space, .word([#""name""#]), .space, .word([":"]), .space, .word(quoted), .space,
            .word([","]), .space, .word([#""arguments""#, #""parameters""#]), .space, .word([":"]), .space, .object,
            .space, .word(["}"]), .space,
        ]
        let fences = ["```", "```json"].map { [.space, .word([$0]), .space] + object + [.word(["```"]), .space] }
        readings = ([[.space] + object] + fences).map { Reading(parts: $0) }
    }

    /// Takes the next byte.
    /// - Returns: false if the answer is no such call, whatever follows.
    mutating func take(_ byte: UInt8) -> Bool {
        offset += 1
        readings = readings.compactMap { reading in
            var next = reading
            return next.take(byte) ? next : nil
        }
        return !readings.isEmpty
    }

    /// The call, if the answer ends here.
    /// - Parameter answer: the bytes that were taken.
    func call(in answer: ArraySlice<UInt8>) -> [ToolCall]? {
        guard readings.contains(where: \.isComplete), let first = answer.firstIndex(of: UInt8(ascii: "{")),
            let last = answer.lastIndex(of: UInt8(ascii: "}"))
        else { return nil }
        return ToolCall.calls(in: answer[first...last])
    }
}

/// A part of what is read.
private enum Part: Sendable {
    /// White space, or none.
    case space
    /// One of these; none begins with another.
    case word([String])
    /// A JSON object, told by its braces.
    case object
}

/// One way to read an answer, and how far that went.
private struct Reading: Sendable {
    let parts: [Part]
    private var index = 0
    private var word: [UInt8] = []
    private var strings = StringScan()
    private var depth = 0

    init(parts: [Part]) { self.parts = parts }

    /// Whether nothing is missing; white space comes last.
    var isComplete: Bool { index == parts.count - 1 }

    mutating func take(_ byte: UInt8) -> Bool {
        if case .space = parts[index] {
            if [0x20, 0x09, 0x0A, 0x0D].contains(byte) { return true }
            guard index + 1 < parts.count else { return false }
            index += 1
        }
        switch parts[index] {
        case .space: return false
        case .word(let words):
            word.append(byte)
            guard let match = words.first(where: { $0.utf8.starts(with: word) }) else { return false }
            if match.utf8.count == word.count { end() }
            return true
        case .object: return takeOfObject(byte)
        }
    }

    private mutating func takeOfObject(_ byte: UInt8) -> Bool {
        guard depth > 0 || byte == UInt8(ascii: "{") else { return false }
        if !strings.isInString {
            if byte == UInt8(ascii: "{") { depth += 1 }
            if byte == UInt8(ascii: "}") { depth -= 1 }
        }
        strings.take(byte)
        if depth == 0 { end() }
        return true
    }

    private mutating func end() {
        index += 1
        word = []
        strings = StringScan()
    }
}
