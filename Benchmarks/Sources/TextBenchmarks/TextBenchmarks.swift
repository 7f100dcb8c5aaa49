import Apus

/// Rates of everything between text and ids, on one core.
///
///     swift run -c release TextBenchmarks VOCABULARY.gguf|tokenizer.json TEXT [TEMPLATE.jinja]
@main
struct TextBenchmarks {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count >= 3 else {
            print("usage: TextBenchmarks VOCABULARY.gguf|tokenizer.json TEXT [TEMPLATE.jinja]")
            return
        }
        let text = try bytes(of: arguments[2])
        let (tokenizer, loading) = try best(of: 5) { try loadTokenizer(arguments[1]) }
        print("load       \(milliseconds(loading)) ms, \(tokenizer.vocabularySize) tokens")
        let (ids, encoding) = best(of: 5) { tokenizer.encode(text) }
        print("encode     \(rate(text.count, encoding)) MB/s, \(text.count) bytes, \(ids.count) tokens")
        let (_, decoding) = best(of: 5) { tokenizer.decode(ids) }
        print("decode     \(rate(text.count, decoding)) MB/s")
        let (_, streaming) = best(of: 5) {
            var stream = StreamingDetokenizer(tokenizer)
            return ids.reduce(0) { count, id in count + stream.append(id).utf8.count }
        }
        print("stream     \(rate(text.count, streaming)) MB/s")
        if arguments.count > 3 { try renderTemplate(arguments[3]) }
    }

    private static func renderTemplate(_ path: String) throws {
        let source = String(decoding: try bytes(of: path), as: UTF8.self)
        let messages: [ChatValue] = (0..<100).map { turn in
            [
                "role": .string(turn % 2 == 0 ? "user" : "assistant"),
                "content": "What is the answer to the last question?",
            ]
        }
        let (template, parsing) = try best(of: 5) { try ChatTemplate(source: source) }
        let (prompt, rendering) = try best(of: 5) {
            try template.render(messages: messages, bosToken: "<s>", eosToken: "</s>")
        }
        print("template   parsed in \(milliseconds(parsing)) ms, 100 messages in \(milliseconds(rendering)) ms")
        print("           \(prompt.utf8.count) bytes")
    }

    private static func loadTokenizer(_ path: String) throws -> Tokenizer {
        path.hasSuffix(".json")
            ? try Tokenizer(json: try MappedFile(path: path).bytes) : try Tokenizer(try GGUFFile(path: path))
    }

    private static func bytes(of path: String) throws -> [UInt8] {
        try MappedFile(path: path).withUnsafeBytes { Array($0) }
    }

    /// The result, and the shortest time of several runs.
    private static func best<Result>(of count: Int, _ body: () throws -> Result) rethrows -> (Result, Duration) {
        let clock = ContinuousClock()
        var least = Duration.seconds(1 << 30)
        var result = try body()
        for _ in 0..<count {
            let start = clock.now
            result = try body()
            least = min(least, start.duration(to: clock.now))
        }
        return (result, least)
    }

    private static func milliseconds(_ duration: Duration) -> Double { rounded(duration / .milliseconds(1)) }

    private static func rate(_ byteCount: Int, _ duration: Duration) -> Double {
        rounded(Double(byteCount) / (duration / .microseconds(1)))
    }

    private static func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
