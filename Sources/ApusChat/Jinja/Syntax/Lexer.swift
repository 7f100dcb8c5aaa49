/// Splits template source into tokens, one at a time, with Jinja's whitespace control.
///
/// Set up as chat templates expect: the newline after a block tag is dropped (`trim_blocks`), whitespace before a
/// block tag at the start of a line too (`lstrip_blocks`), and one newline at the very end of the source.
struct Lexer {
    let source: [UInt8]
    var position = 0
    var line = 1
    /// Closing brackets that are still awaited inside a tag.
    var openBrackets: [UInt8] = []
    private var mode = Mode.root
    private var pending: [Token] = []
    /// Whether the last piece of source ended with a newline (or nothing came before).
    private var isLineStart = true

    private enum Mode { case root, block, variable }

    /// Whether whitespace around a tag is removed (`-`), kept (`+`) or left to the defaults.
    private enum Control { case strip, keep, standard }

    init(_ text: String) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var previous: UInt8 = 0
        for byte in text.utf8 {
            if byte == 0x0D || byte == 0x0A && previous != 0x0D { bytes.append(0x0A) }
            if byte != 0x0D, byte != 0x0A { bytes.append(byte) }
            previous = byte
        }
        if bytes.last == 0x0A { bytes.removeLast() }
        source = bytes
    }

    mutating func next() throws -> Token {
        while true {
            if !pending.isEmpty { return pending.removeFirst() }
            switch mode {
            case .root:
                if position >= source.count { return Token(kind: .end, line: line) }
                try scanData()
            case .block, .variable:
                if let token = try scanInsideTag() { return token }
            }
        }
    }

    func byte(_ offset: Int = 0) -> UInt8? {
        position + offset < source.count ? source[position + offset] : nil
    }

    func starts(with text: StaticString, at index: Int) -> Bool {
        source[min(index, source.count)...].starts(with: text.description.utf8)
    }

    /// Moves to `end`, counting lines.
    mutating func advance(to end: Int) {
        for index in position..<end where source[index] == 0x0A { line += 1 }
        if end > position { isLineStart = source[end - 1] == 0x0A }
        position = end
    }

    /// The end of the whitespace that begins at `index`.
    func endOfWhitespace(from index: Int) -> Int {
        var index = index
        while index < source.count, let length = Lexer.whitespaceLength(source[index...]) { index += length }
        return index
    }

    /// The length of the whitespace character that begins `bytes`, nil if there is none.
    private static func whitespaceLength(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard let first = bytes.first else { return nil }
        if first < 0x80 { return Unicode.Scalar(first).isPythonSpace ? 1 : nil }
        guard let scalar = String(decoding: bytes.prefix(4), as: UTF8.self).unicodeScalars.first else { return nil }
        return scalar.isPythonSpace ? scalar.utf8.count : nil
    }
}

/// Text and the beginnings of tags.
extension Lexer {
    private mutating func scanData() throws {
        let start = position
        guard let tag = nextTag(from: start) else {
            emit(.data(Array(source[start...])))
            advance(to: source.count)
            return
        }
        let opener = source[tag + 1]
        let raw = opener == UInt8(ascii: "%") ? endOfRawBegin(at: tag) : nil
        let control = control(at: tag + 2)
        emitData(start, tag, control, stripsLine: opener != UInt8(ascii: "{"))
        advance(to: tag)
        if let raw {
            advance(to: raw)
            return try scanRaw()
        }
        let bodyStart = tag + (control == .standard ? 2 : 3)
        if opener == UInt8(ascii: "#") { return try skipComment(from: bodyStart) }
        emit(opener == UInt8(ascii: "%") ? .blockBegin : .variableBegin)
        advance(to: bodyStart)
        mode = opener == UInt8(ascii: "%") ? .block : .variable
    }

    private mutating func emit(_ kind: Token.Kind) { pending.append(Token(kind: kind, line: line)) }

    private func nextTag(from start: Int) -> Int? {
        var index = start
        while index + 1 < source.count {
            if source[index] == UInt8(ascii: "{"), "{%#".utf8.contains(source[index + 1]) { return index }
            index += 1
        }
        return nil
    }

    private func control(at index: Int) -> Control {
        guard index < source.count else { return .standard }
        return source[index] == UInt8(ascii: "-") ? .strip : source[index] == UInt8(ascii: "+") ? .keep : .standard
    }

    /// Emits the text from `start` to the tag at `end`, less the whitespace that the tag removes.
    private mutating func emitData(_ start: Int, _ end: Int, _ control: Control, stripsLine: Bool) {
        var end = end
        if control == .strip {
            end = start + Text(utf8: Array(source[start..<end])).stripped(.right).utf8.count
        } else if control == .standard, stripsLine {
            let lineStart = source[start..<end].lastIndex(of: 0x0A).map { $0 + 1 } ?? start
            if lineStart > start || isLineStart, endOfWhitespace(from: lineStart) >= end { end = lineStart }
        }
        if end > start { emit(.data(Array(source[start..<end]))) }
    }

    /// Where the content of a `raw` block begins, if the tag at `tag` opens one.
    private func endOfRawBegin(at tag: Int) -> Int? {
        var index = endOfWhitespace(from: tag + (control(at: tag + 2) == .standard ? 2 : 3))
        guard starts(with: "raw", at: index) else { return nil }
        index = endOfWhitespace(from: index + 3)
        if starts(with: "-%}", at: index) { return endOfWhitespace(from: index + 3) }
        return starts(with: "%}", at: index) ? index + 2 : nil
    }

    private mutating func scanRaw() throws {
        let start = position
        var index = start
        while index + 1 < source.count {
            if starts(with: "{%", at: index), let end = endOfRawEnd(at: index) {
                emitData(start, index, control(at: index + 2), stripsLine: true)
                return advance(to: end)
            }
            index += 1
        }
        throw TemplateFailure("Missing end of raw directive", line: line)
    }

    private func endOfRawEnd(at tag: Int) -> Int? {
        let index = endOfWhitespace(from: tag + (control(at: tag + 2) == .standard ? 2 : 3))
        guard starts(with: "endraw", at: index) else { return nil }
        return endOfBlock(at: endOfWhitespace(from: index + 6))
    }

    /// The end of a block's closing tag at `index` with the whitespace it removes; nil if none is there.
    private func endOfBlock(at index: Int, closer: StaticString = "%}") -> Int? {
        if starts(with: closer, at: index) { return index + (starts(with: "\n", at: index + 2) ? 3 : 2) }
        guard starts(with: closer, at: index + 1) else { return nil }
        switch control(at: index) {
        case .strip: return endOfWhitespace(from: index + 3)
        case .keep: return index + 3
        case .standard: return nil
        }
    }

    private mutating func skipComment(from start: Int) throws {
        var index = start
        while index < source.count {
            if let end = endOfBlock(at: index, closer: "#}") { return advance(to: end) }
            index += 1
        }
        throw TemplateFailure("Missing end of comment tag", line: line)
    }

    /// The next token inside a tag; nil when only whitespace was skipped.
    private mutating func scanInsideTag() throws -> Token? {
        let tokenLine = line
        if openBrackets.isEmpty, let end = endOfTag() {
            let kind: Token.Kind = mode == .block ? .blockEnd : .variableEnd
            advance(to: end)
            mode = .root
            return Token(kind: kind, line: tokenLine)
        }
        if position >= source.count {
            mode = .root
            return nil
        }
        let end = endOfWhitespace(from: position)
        if end > position {
            advance(to: end)
            return nil
        }
        return Token(kind: try scanExpressionToken(), line: tokenLine)
    }

    private func endOfTag() -> Int? {
        if mode == .block { return endOfBlock(at: position) }
        if starts(with: "-}}", at: position) { return endOfWhitespace(from: position + 3) }
        return starts(with: "}}", at: position) ? position + 2 : nil
    }
}
