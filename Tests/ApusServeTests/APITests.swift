import Apus
import ApusFormats
import ApusServe
import ApusTestSupport
import Testing

/// The API without a socket, on the default model.
@Suite(.enabled(if: RealModel.smolLM2.isWanted)) struct APITests {
    private static let loading = Result {
        let options = ModelOptions(contextLength: 1024, kvPositionCount: 8192)
        let entry = try ModelRegistry.Entry(id: "smollm2", path: RealModel.smolLM2.path, options: options)
        let registry = ModelRegistry([entry], byteLimit: options.effectiveMemoryLimit)
        let service = Service(registry: registry, admission: Admission(limit: 64))
        return API(service: service, origins: OriginPolicy(isLoopback: true))
    }

    private static var api: API {
        get throws { try loading.get() }
    }

    private static let hello = #""messages": [{"role": "user", "content": "Name three rivers."}], "max_tokens": 12"#

    /// The reply to a request.
    private static func reply(_ method: String, _ path: String, _ body: String = "") async throws -> Reply {
        let api = try api
        let (endpoint, parameter) = try api.endpoint(method: method, path: path)
        return try await api.reply(
            endpoint,
            parameter: parameter,
            body: Array(body.utf8),
            caller: .anyone,
            id: "test",
            arrival: .now
        )
    }

    /// The reply's JSON.
    private static func json(_ method: String, _ path: String, _ body: String = "") async throws -> JSONValue {
        guard case .bytes(let bytes, _) = try await reply(method, path, body).body else {
            throw ServiceError(.failed, "a stream")
        }
        return try JSONValue(parsing: bytes, name: "reply")
    }

    /// A stream's events, and whether it ended as it should.
    private static func events(_ path: String, _ body: String) async throws -> (events: [JSONValue], isDone: Bool) {
        guard case .events(let inference, var encoder) = try await reply("POST", path, body).body else {
            throw ServiceError(.failed, "no stream")
        }
        var bytes = encoder.beginning()
        for try await event in inference.events { bytes += encoder.bytes(for: event) }
        let frames = String(decoding: bytes, as: UTF8.self).split(separator: "\n\n")
        let isDone = frames.last == "data: [DONE]"
        let events = try frames.dropLast(isDone ? 1 : 0).map { frame in
            #expect(frame.hasPrefix("data: "))
            return try JSONValue(parsing: Array(frame.dropFirst(6).utf8), name: "event")
        }
        return (events, isDone)
    }

    @Test func aChatIsAnswered() async throws {
        let answer = try await Self.json("POST", "/v1/chat/completions", "{\(Self.hello), \"temperature\": 0}")
        let choice = try answer.member("choices").elements().first
        let content = try choice?.member("message").member("content").string()
        #expect(content?.isEmpty == false)
        #expect(try choice?.member("finish_reason").string() == "length")
        let usage = try answer.member("usage")
        #expect(try usage.member("completion_tokens").integer() == 12)
        #expect(try usage.member("prompt_tokens").integer() > 10)
    }

    @Test func aStreamIsTheSameAnswerInPieces() async throws {
        let body = "{\(Self.hello), \"seed\": 5, \"n\": 2"
        let whole = try await Self.json("POST", "/v1/chat/completions", body + "}")
        let options = ", \"stream\": true, \"stream_options\": {\"include_usage\": true}}"
        let (events, isDone) = try await Self.events("/v1/chat/completions", body + options)
        #expect(isDone)
        var texts = ["", ""]
        for event in events.dropLast() {
            for choice in try event.member("choices").elements() {
                let index = try choice.member("index").integer()
                texts[index] += try choice.member("delta").memberIfPresent("content")?.string() ?? ""
            }
        }
        let contents = try whole.member("choices").elements().map {
            try $0.member("message").member("content").string()
        }
        #expect(texts == contents)
        #expect(contents.first != contents.last)
        let usage = try #require(events.last).member("usage")
        #expect(try usage.member("completion_tokens").integer() == 24)
    }

    @Test func aSeedGivesTheTokensOfALoneRun() async throws {
        let model = try await Self.api.service.registry.model(0).model
        var options = GenerationOptions(maximumTokenCount: 12)
        options.sampling.seed = 11
        let alone = try await model.chat(options: options).reply(to: "Name three rivers.")
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<6 {
                group.addTask {
                    let answer = try await Self.json("POST", "/v1/chat/completions", "{\(Self.hello), \"seed\": 11}")
                    let choices = try answer.member("choices").elements()
                    return try choices.first?.member("message").member("content").string() ?? ""
                }
            }
            for try await text in group { #expect(text == alone) }
        }
    }

    @Test func completionsTakeManyPromptsAndEcho() async throws {
        let body = #"{"prompt": ["The capital of France is", "2+2="], "n": 2, "max_tokens": 4, "echo": true}"#
        let answer = try await Self.json("POST", "/v1/completions", body)
        let choices = try answer.member("choices").elements()
        #expect(choices.count == 4)
        for (index, choice) in choices.enumerated() {
            #expect(try choice.member("index").integer() == index)
            #expect(try choice.member("text").string().hasPrefix(index < 2 ? "The capital of France is" : "2+2="))
        }
    }

    @Test func logprobsComeWithTheirTokens() async throws {
        let body = #"{"prompt": "The capital of France is", "max_tokens": 5, "logprobs": 3, "temperature": 0}"#
        let choice = try await Self.json("POST", "/v1/completions", body).member("choices").elements().first
        let logprobs = try #require(try choice?.member("logprobs"))
        let tokens = try logprobs.member("tokens").elements().map { try $0.string() }
        #expect(tokens.count == 5)
        #expect(try tokens.joined() == choice?.member("text").string())
        let best = try #require(try logprobs.member("top_logprobs").elements().first)
        #expect(try best.members().count == 3)
        #expect(try best.member(tokens[0]).double() == logprobs.member("token_logprobs").elements().first?.double())
    }

    @Test func aStopStringEndsTheAnswer() async throws {
        let body = #"{"prompt": "1, 2, 3, 4, 5, 6,", "max_tokens": 40, "temperature": 0, "stop": [" 8", " 9"]}"#
        let choice = try await Self.json("POST", "/v1/completions", body).member("choices").elements().first
        #expect(try choice?.member("text").string() == " 7,")
        #expect(try choice?.member("finish_reason").string() == "stop")
    }

    @Test func aPromptThatDoesNotFitIsRefusedWithTheCounts() async throws {
        let words = String(repeating: "word ", count: 2000)
        let error = await #expect(throws: ServiceError.self) {
            try await Self.reply("POST", "/v1/completions", #"{"prompt": "\#(words)"}"#)
        }
        #expect(error?.kind == .contextFull && error?.field == "prompt")
        #expect(error?.message.contains("1024") == true)
    }

    @Test func anUnknownModelIsNotFound() async throws {
        let error = await #expect(throws: ServiceError.self) {
            try await Self.reply("POST", "/v1/completions", #"{"prompt": "a", "model": "gpt-4"}"#)
        }
        #expect(error?.status == 404 && error?.field == "model")
        let shown = try await Self.json("GET", "/v1/models/smollm2")
        #expect(try shown.member("id").string() == "smollm2")
    }

    @Test func aGapNeedsAModelThatFillsGaps() async throws {
        let error = await #expect(throws: ServiceError.self) {
            try await Self.reply("POST", "/v1/completions", #"{"prompt": "a", "suffix": "b"}"#)
        }
        #expect(error?.field == "suffix")
    }

    @Test func embeddingsHaveLengthOneInBothEncodings() async throws {
        let floats = try await Self.json("POST", "/v1/embeddings", #"{"input": ["sky", "sea"]}"#)
        let vectors = try floats.member("data").elements().map { item in
            try item.member("embedding").elements().map { try $0.double() }
        }
        #expect(vectors.count == 2)
        for vector in vectors { #expect(abs(vector.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5) }
        let packed = try await Self.json("POST", "/v1/embeddings", #"{"input": "sky", "encoding_format": "base64"}"#)
        let text = try packed.member("data").elements().first?.member("embedding").string()
        #expect(text?.utf8.count == (vectors[0].count * 4 + 2) / 3 * 4)
    }

    @Test func tokensAreTextAndBack() async throws {
        let tokens = try await Self.json("POST", "/tokenize", #"{"content": "Hello <|im_end|>"}"#).member("tokens")
        let ids = try tokens.elements().map { try $0.integer() }
        let text = try await Self.json("POST", "/detokenize", #"{"tokens": \#(ids)}"#)
        #expect(try text.member("content").string() == "Hello <|im_end|>")
        await #expect(throws: ServiceError.self) {
            try await Self.reply("POST", "/detokenize", #"{"tokens": [99999999]}"#)
        }
    }

    @Test func aTemplateIsApplied() async throws {
        let body = #"{"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": false}"#
        let prompt = try await Self.json("POST", "/apply-template", body).member("prompt").string()
        #expect(prompt.hasSuffix("<|im_start|>user\nHi<|im_end|>\n"))
    }

    @Test func aRequestLetGoEndsAndFreesItsPlace() async throws {
        let service = try Self.api.service
        let body = "{\"messages\": [{\"role\": \"user\", \"content\": \"Count to a thousand.\"}], \"stream\": true}"
        do {
            guard case .events(let inference, _) = try await Self.reply("POST", "/v1/chat/completions", body).body
            else {
                Issue.record("no stream")
                return
            }
            for try await _ in inference.events { break }
            inference.cancel()
        }
        while service.admission.count > 0 { await Task.yield() }
        while try #require(service.registry.reports.first?.model).engine.statistics.runningCount > 0 {
            await Task.yield()
        }
    }

    @Test func ignoredFieldsAreNamed() async throws {
        let reply = try await Self.reply("POST", "/v1/completions", #"{"prompt": "a", "user": "x", "max_tokens": 1}"#)
        #expect(reply.headers.contains { $0.name == "warning" && $0.value.contains("user") })
    }

    @Test func theDescriptionNamesEveryFieldAndPath() async throws {
        let document = try await Self.json("GET", "/openapi.json")
        let paths = try document.member("paths").members()
        for endpoint in try Self.api.endpoints where endpoint.path != "/openapi.json" {
            guard !endpoint.path.hasPrefix("/page"), endpoint.path != "/" else { continue }
            let methods = try #require(paths[endpoint.path])
            let operation = try #require(try methods.memberIfPresent(endpoint.method.rawValue))
            guard let table = endpoint.fields else { continue }
            let reference = "#/components/schemas/\(table.name)"
            let content = try operation.member("requestBody").member("content").member("application/json")
            #expect(try content.member("schema").member("$ref").string() == reference)
            let properties = try document.member("components").member("schemas").member(table.name).member("properties")
            #expect(try properties.members().map { try $0.key.string() } == table.fields.map(\.name))
        }
    }

    @Test(arguments: [
        ("GET", "/v1/chat/completions", 405), ("POST", "/health", 405), ("GET", "/v2", 404),
        ("GET", "/v1/models/a/b", 404), ("GET", "/../etc/passwd", 404), ("GET", "//health", 404),
        ("GET", "/v1/models/", 404), ("GET", "/Page/index.html", 404),
    ])
    func otherPathsAndMethodsAreRefused(method: String, path: String, status: Int) async throws {
        let api = try Self.api
        let error = #expect(throws: ServiceError.self) { try api.endpoint(method: method, path: path) }
        #expect(error?.status == status)
    }
}
