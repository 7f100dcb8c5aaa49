import ApusServe
import Testing

struct CompletionRequestTests {
    private static func request(_ json: String) throws -> CompletionRequest {
        try CompletionRequest(Body.fields(json, CompletionRequest.table))
    }

    @Test func promptsComeInFourForms() throws {
        func texts(_ json: String) throws -> [String] {
            try Self.request(#"{"prompt": \#(json)}"#).inference.prompts.map { prompt in
                switch prompt {
                case .text(let text): text
                case .tokens(let tokens): "\(tokens)"
                default: "?"
                }
            }
        }
        #expect(try texts(#""a""#) == ["a"])
        #expect(try texts(#"["a", "b"]"#) == ["a", "b"])
        #expect(try texts("[1, 2]") == ["[1, 2]"])
        #expect(try texts("[[1, 2], [3]]") == ["[1, 2]", "[3]"])
    }

    @Test(arguments: ["[]", "[1, \"a\"]", "[[1], \"a\"]", "[[]]", "5", "null", "[-1]", "[4294967296]", "{}"])
    func otherFormsAreRefused(prompt: String) {
        let error = #expect(throws: ServiceError.self) { try Self.request(#"{"prompt": \#(prompt)}"#) }
        #expect(error?.field?.hasPrefix("prompt") == true)
    }

    @Test func theDefaultLengthIsOpenAIs() throws {
        #expect(try Self.request(#"{"prompt": "a"}"#).inference.maximumTokenCount == 16)
    }

    @Test(arguments: [
        (#""best_of": 1, "n": 2"#, "best_of"), (#""best_of": 2, "stream": true"#, "best_of"),
        (#""echo": true, "logprobs": 1, "suffix": "b""#, "echo"),
        (#""max_completion_tokens": 1"#, "max_completion_tokens"),
        (#""logprobs": true"#, "logprobs"),
    ])
    func whatIsNotDoneIsRefused(members: String, field: String) throws {
        let error = #expect(throws: ServiceError.self) { try Self.request(#"{"prompt": "a", \#(members)}"#) }
        #expect(error?.field == field)
    }

    @Test func theBestOfManyAreGiven() throws {
        let request = try Self.request(#"{"prompt": "a", "best_of": 5, "n": 2}"#)
        #expect(request.inference.choiceCount == 5 && request.givenCount == 2)
        #expect(request.inference.alternativeCount == 0 && !request.hasLogprobs)
        let same = try Self.request(#"{"prompt": "a", "best_of": 2, "n": 2, "stream": true}"#)
        #expect(same.inference.choiceCount == 2 && same.inference.alternativeCount == nil)
    }

    @Test func aSuffixMakesAGap() throws {
        guard case .infill("a", "b")? = try Self.request(#"{"prompt": "a", "suffix": "b"}"#).inference.prompts.first
        else {
            Issue.record("no gap")
            return
        }
    }
}
