import ApusChat
import ApusCore
import FuzzSupport

/// Parses the input as a chat template and renders it over a conversation, within tight limits; what renders must
/// render to the same text again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzJinja(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let source = String(decoding: FuzzInput(start, count).bytes, as: UTF8.self)
    guard let template = try? ChatTemplate(source: source), let text = rendered(template) else { return 0 }
    precondition(rendered(template) == text)
    return 0
}

private func rendered(_ template: ChatTemplate) -> String? {
    var limits = RenderLimits()
    limits.steps = 100_000
    limits.outputBytes = 1 << 20
    limits.liveBytes = 4 << 20
    let tool: ChatValue = ["type": "function", "function": ["name": "f", "parameters": ["type": "object"]]]
    return try? template.render(
        messages: [
            ["role": "system", "content": " Be brief. "],
            ["role": "user", "content": [["type": "text", "text": "Hé"]]],
            [
                "role": "assistant", "content": nil,
                "tool_calls": [["function": ["name": "f", "arguments": ["x": 1.5]]]],
            ],
        ],
        tools: [tool],
        bosToken: "<s>",
        eosToken: "</s>",
        now: CalendarTime(secondsSince1970: 1_753_538_709),
        extra: ["x": 5, "l": [3, 1, 2], "s": "Hello World", "d": ["b": 1, "a": [true, nil]]],
        limits: limits
    )
}
