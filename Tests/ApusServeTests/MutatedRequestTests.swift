import ApusServe
import ApusTestSupport
import Testing

/// Bodies spoiled at random places: whatever comes, a decoder gives a request or names what is wrong.
struct MutatedRequestTests {
    private static let chat = """
        {"model": "m", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": \
        "text", "text": "Hi"}]}, {"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function", \
        "function": {"name": "f", "arguments": "{\\"x\\": [1, 2.5e3]}"}}]}, {"role": "tool", "tool_call_id": "1", \
        "content": "2"}], "temperature": 0.5, "top_p": 0.9, "top_k": 5, "seed": -3, "n": 2, "stop": ["a", "b"], \
        "stream": true, "stream_options": {"include_usage": true}, "logit_bias": {"5": 1.5}, "logprobs": true, \
        "top_logprobs": 2, "max_tokens": 9, "tools": [{"type": "function", "function": {"name": "f", "parameters": \
        {"type": "object"}}}], "tool_choice": "auto", "user": "u", "metadata": {"a": "b"}, "store": false}
        """
    private static let completion = """
        {"prompt": [[1, 2, 3], [4]], "max_tokens": 5, "echo": true, "best_of": 1, "suffix": null, "logprobs": null}
        """
    private static let pieces = [
        "null", "-1", "1e999", "[[[[", "{\"a\":", "\"", "\\u0000", "\\ud800", "99999999999999999999", "true", "]", "}",
        ",",
        "0.0000001", "\u{FFFF}", "-0", "{}", "[]", "\"n\": 1,",
    ].map { Array($0.utf8) }

    private static func spoil(_ bytes: inout [UInt8], _ generator: inout SmallRandom) {
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &generator)
        case 1: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1..<20, using: &generator)))
        case 2: bytes.insert(contentsOf: pieces.randomElement(using: &generator) ?? [], at: place)
        default:
            let end = min(bytes.count, place + Int.random(in: 1..<60, using: &generator))
            bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0..<bytes.count, using: &generator))
        }
        if bytes.isEmpty { bytes = [0x20] }
    }

    @Test(arguments: 0..<4) func everySpoiledBodyIsReadOrRefused(part: Int) {
        var generator = SmallRandom(seed: UInt64(part))
        var readCount = 0
        for round in 0..<5000 {
            let isChat = round % 3 != 0
            var bytes = Array((isChat ? Self.chat : Self.completion).utf8)
            for _ in 0..<Int.random(in: 1..<4, using: &generator) { Self.spoil(&bytes, &generator) }
            do {
                let json = try API.json(bytes)
                if isChat {
                    _ = try ChatRequest(ChatRequest.table.read(json))
                } else {
                    _ = try CompletionRequest(CompletionRequest.table.read(json))
                }
                readCount += 1
            } catch let error as ServiceError {
                #expect(error.status == 400 && !error.message.isEmpty)
            } catch {
                Issue.record("\(error): \(String(decoding: bytes, as: UTF8.self))")
            }
        }
        #expect(readCount > 50)
    }
}
