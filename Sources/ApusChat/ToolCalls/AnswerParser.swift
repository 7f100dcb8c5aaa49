/// Splits an answer as it comes into what is said, what was thought before, and the tools it calls.
///
/// Nothing is lost: what looks like a call but cannot be read as one is text. A value; each answer needs its own.
package struct AnswerParser: Sendable {
    /// A part of an answer; text and thoughts come in pieces.
    package enum Part: Sendable, Equatable {
        case text(String)
        case reasoning(String)
        case call(ToolCall)
    }

    private enum State {
        /// Nothing has come but white space; thoughts may begin.
        case start(mayThink: Bool)
        case reasoning
        case text
        /// Behind a marker, up to the closing one or the end.
        case call
        /// What may be nothing but calls, up to the end.
        case whole
        /// What may still be nothing but a plain call.
        case plainCall
    }

    private let format: ToolCallFormat?
    private let allowsManyCalls: Bool
    private var state: State
    private var held: [UInt8] = []
    /// How far `held` has been searched for what ends a call.
    private var scan = StringScan()
    private var callCount = 0
    /// Nil where there are no plain calls.
    private var plainCall: PlainCallScan?

    /// Creates a parser.
    /// - Parameters:
    ///   - format: how calls are written; nil where there are no tools, and all is text.
    ///   - allowsManyCalls: whether anything may follow the first call; if not, it is dropped.
    ///   - beginsThinking: whether the prompt ended with `<think>`.
    ///   - plainCallNames: the functions that an answer also calls if it is nothing but the call as JSON, without the
    ///     format's marks; in a fenced block of code or not.
    package init(
        format: ToolCallFormat?,
        allowsManyCalls: Bool = true,
        beginsThinking: Bool = false,
        plainCallNames: [String] = []
    ) {
        self.format = format
        self.allowsManyCalls = allowsManyCalls
        plainCall = plainCallNames.isEmpty ? nil : PlainCallScan(names: plainCallNames)
        state = beginsThinking ? .reasoning : .start(mayThink: true)
    }

    /// Whether the answer calls a tool.
    package var hasCalls: Bool { callCount > 0 }

    /// Takes the next piece of the answer.
    package mutating func append(_ text: String) -> [Part] {
        held += text.utf8
        var parts: [Part] = []
        while step(&parts) {}
        return parts
    }

    /// Ends the answer.
    package mutating func finish() -> [Part] {
        var parts: [Part] = []
        let rest = held[...]
        switch state {
        case .start, .text: emit(rest, as: Part.text, &parts)
        case .reasoning: emit(rest, as: Part.reasoning, &parts)
        case .call: emitCalls(opening + rest, calls(in: rest), &parts)
        case .whole: emitCalls(rest, ToolCall.wholeAnswer(rest), &parts)
        case .plainCall: emitCalls(rest, plainCall?.call(in: rest), &parts)
        }
        held = []
        return parts
    }

    // MARK: Steps

    /// Does what the held bytes allow.
    /// - Returns: whether there may be more to do.
    private mutating func step(_ parts: inout [Part]) -> Bool {
        switch state {
        case .start(let mayThink): return begin(mayThink)
        case .reasoning:
            guard let range = find("</think>", as: Part.reasoning, &parts) else { return false }
            emit(held[..<range.lowerBound], as: Part.reasoning, &parts)
            drop(range.upperBound)
            state = .start(mayThink: false)
            return true
        case .text:
            guard let marker = format?.opening else {
                emit(held[...], as: Part.text, &parts)
                drop(held.count)
                return false
            }
            guard let range = find(marker, as: Part.text, &parts) else { return false }
            emit(held[..<range.lowerBound], as: Part.text, &parts)
            drop(range.upperBound)
            state = .call
            return true
        case .call:
            guard let marker = format?.closing else { return false }
            // Within a string of the arguments it closes nothing.
            guard let range = held[...].firstRange(of: marker, outsideStrings: &scan) else { return false }
            let body = held[..<range.lowerBound]
            let calls = calls(in: body)
            emitCalls(opening + held[..<range.upperBound], calls, &parts)
            drop(range.upperBound)
            state = calls == nil ? .text : .start(mayThink: false)
            return true
        case .whole: return false
        case .plainCall:
            while let offset = plainCall?.offset, offset < held.count {
                if plainCall?.take(held[offset]) == false {
                    state = .text
                    return true
                }
            }
            return false
        }
    }

    /// Decides what the answer, or what follows thoughts or a call, begins with.
    private mutating func begin(_ mayThink: Bool) -> Bool {
        let text = held[...].trimmedStart
        guard let first = text.first else { return false }
        let think = Array("<think>".utf8)
        if mayThink {
            if text.starts(with: think) {
                drop(text.startIndex + think.count)
                state = .reasoning
                return true
            }
            if think.starts(with: text) { return false }
        }
        if format?.isWholeAnswer == true, callCount == 0 {
            let tag = Array("<|python_tag|>".utf8)
            if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") || text.starts(with: tag) {
                state = .whole
                return false
            }
            if tag.starts(with: text) { return false }
        }
        // White space between thoughts, calls and text separates them and belongs to neither.
        if !mayThink { drop(text.startIndex) }
        let mayCall = first == UInt8(ascii: "{") || first == UInt8(ascii: "`")
        state = mayCall && plainCall != nil && callCount == 0 ? .plainCall : .text
        return true
    }

    /// Where a marker stands; without one, lets go of what cannot be part of it.
    private mutating func find(_ marker: String, as part: (String) -> Part, _ parts: inout [Part]) -> Range<Int>? {
        if let range = held[...].firstRange(of: marker, from: 0) { return range }
        let free = held.count - held[...].suffixLength(beginning: marker)
        emit(held[..<free], as: part, &parts)
        drop(free)
        return nil
    }

    private func calls(in bytes: ArraySlice<UInt8>) -> [ToolCall]? {
        format == .mistral ? ToolCall.mistralCalls(in: bytes) : ToolCall.calls(in: bytes)
    }

    private var opening: ArraySlice<UInt8> { Array((format?.opening ?? "").utf8)[...] }

    // MARK: Results

    private func emit(_ bytes: ArraySlice<UInt8>, as part: (String) -> Part, _ parts: inout [Part]) {
        guard !bytes.isEmpty, callCount == 0 || allowsManyCalls else { return }
        parts.append(part(String(decoding: bytes, as: UTF8.self)))
    }

    private mutating func emitCalls(_ raw: ArraySlice<UInt8>, _ calls: [ToolCall]?, _ parts: inout [Part]) {
        guard let calls else { return emit(raw, as: Part.text, &parts) }
        for call in calls where callCount == 0 || allowsManyCalls {
            parts.append(.call(call))
            callCount += 1
        }
    }

    private mutating func drop(_ count: Int) {
        held.removeFirst(count)
        scan = StringScan()
    }
}

extension ToolCallFormat {
    /// What a call begins with; nil where an answer with calls is nothing else.
    var opening: String? {
        switch self {
        case .tagged: "<tool_call>"
        case .mistral: "[TOOL_CALLS]"
        case .llama, .generic: nil
        }
    }

    /// What a call ends with; nil if it goes on to the end.
    fileprivate var closing: String? { self == .tagged ? "</tool_call>" : nil }

    /// Whether an answer with calls is nothing else.
    fileprivate var isWholeAnswer: Bool { self == .llama || self == .generic }
}

extension ArraySlice<UInt8> {
    /// The bytes without white space at the beginning.
    fileprivate var trimmedStart: ArraySlice<UInt8> { drop { $0 == 0x20 || (0x09...0x0D).contains($0) } }
}
