import Apus
import ApusCore
import ApusTestSupport
import Testing

/// Models whose tokenizer metadata lies: refused in one line naming file and field, or loaded without harm.
@Suite struct MalformedTokenizerTests {
    typealias Value = TinyModelFile.Value
    typealias Outcome = MalformedModelTests.Outcome

    private static let bytePair = TinyModelFile("llama")
    private static let sentencePiece = TinyModelFile("llama").withSentencePieces()
    private static let tokens = "tokenizer.ggml.tokens"

    @Test(
        arguments: [
            ("tokenizer.ggml.model", nil), ("tokenizer.ggml.model", .string("rwkv")),
            ("tokenizer.ggml.model", .uint32(1)),
            ("tokenizer.ggml.pre", nil), ("tokenizer.ggml.pre", .string("nobody's")),
            ("tokenizer.ggml.pre", .bool(true)),
            ("tokenizer.ggml.tokens", nil), ("tokenizer.ggml.tokens", .strings([])),
            ("tokenizer.ggml.tokens", .integers([1])),
            ("tokenizer.ggml.tokens", .string("abc")),
            ("tokenizer.ggml.token_type", .integers([1])), ("tokenizer.ggml.token_type", .integers([])),
            ("tokenizer.ggml.token_type", .floats(Array(repeating: 1, count: 40))),
            ("tokenizer.ggml.merges", nil), ("tokenizer.ggml.merges", .strings([[]])),
            ("tokenizer.ggml.merges", .strings([Array("a  b".utf8)])),
            ("tokenizer.ggml.merges", .strings([Array("ab".utf8)])),
            ("tokenizer.ggml.merges", .strings([Array("a b".utf8), Array("zz zz".utf8)])),
            ("tokenizer.ggml.merges", .strings([[0xFF, 0x20, 0xFE]])), ("tokenizer.ggml.merges", .integers([0, 1])),
            ("tokenizer.ggml.bos_token_id", .uint32(40)), ("tokenizer.ggml.bos_token_id", .int32(-1)),
            ("tokenizer.ggml.bos_token_id", .uint64(.max)), ("tokenizer.ggml.bos_token_id", .string("<s>")),
            ("tokenizer.ggml.eos_token_id", .uint32(.max)), ("tokenizer.ggml.eos_token_id", .integers([0])),
            ("tokenizer.ggml.unknown_token_id", .uint32(41)), ("tokenizer.ggml.eot_token_id", .uint32(99)),
            ("tokenizer.ggml.add_bos_token", .uint32(1)), ("tokenizer.chat_template", .uint32(1)),
            ("tokenizer.chat_template", .string("{% for %}")), ("tokenizer.chat_template", .string("{{ 'unclosed")),
        ] as [(String, Value?)]
    )
    func aWrongFieldOfAByteLevelVocabularyIsNamed(key: String, value: Value?) async throws {
        var file = Self.bytePair
        file[key] = value
        let outcome = try await Outcome(of: file.bytes)
        let field = key == "tokenizer.chat_template" ? "template" : key
        #expect(outcome.error?.description.contains(field) == true, "\(outcome)")
    }

    @Test(
        arguments: [
            ("tokenizer.ggml.scores", nil), ("tokenizer.ggml.scores", .floats([1, 2])),
            ("tokenizer.ggml.scores", .floats([])),
            ("tokenizer.ggml.scores", .integers(Array(repeating: 1, count: 40))),
            ("tokenizer.ggml.token_type", .integers(Array(repeating: 6, count: 40))),
            ("tokenizer.ggml.unknown_token_id", .int32(-7)),
        ] as [(String, Value?)]
    )
    func aWrongFieldOfASentencePieceVocabularyIsNamed(key: String, value: Value?) async throws {
        var file = Self.sentencePiece
        file[key] = value
        let outcome = try await Outcome(of: file.bytes)
        let isByteToken = key.hasSuffix("token_type")
        let field = isByteToken ? Self.tokens : key
        #expect(outcome.error?.description.contains(field) == true, "\(outcome)")
    }

    @Test func scoresThatAreNoNumbersHarmNothing() async throws {
        for score in [Float.nan, -.nan, .infinity, -.infinity, .greatestFiniteMagnitude] {
            var file = Self.sentencePiece
            file["tokenizer.ggml.scores"] = .floats(Array(repeating: score, count: 40))
            #expect(try await Outcome(of: file.bytes).tokens != nil)
        }
    }

    @Test func kindsOfTokensThatNobodyDefinedHarmNothing() async throws {
        for kind: Int32 in [.min, -1, 0, 2, 3, 4, 5, 7, 255, 256, .max] {
            for base in [Self.bytePair, Self.sentencePiece] {
                var file = base
                file["tokenizer.ggml.token_type"] = .integers(Array(repeating: kind, count: 40))
                let outcome = try await Outcome(of: file.bytes)
                // Markers spell no merges.
                #expect(outcome.tokens != nil || outcome.error?.description.contains("merges") == true, "\(outcome)")
            }
        }
    }

    @Test func emptyAndStrangeTokensHarmNothingAndEqualOnesAreRefused() async throws {
        for base in [Self.bytePair, Self.sentencePiece] {
            let strange: [[UInt8]] = [[], [0], [0xFF], [0xC3], Array(repeating: 0xE2, count: 60_000), Array("\n".utf8)]
            for token in strange {
                var file = base
                var tokens = Self.texts(file)
                tokens[36] = token
                file[Self.tokens] = .strings(tokens)
                #expect(try await Outcome(of: file.bytes).tokens != nil)
            }
            var file = base
            var tokens = Self.texts(file)
            tokens[36] = tokens[35]
            file[Self.tokens] = .strings(tokens)
            let message = try await Outcome(of: file.bytes).error?.description
            #expect(message?.contains("token 36: expected a text of its own, found that of token 35") == true)
        }
    }

    @Test func claimedArraysOfAGigabyteAreRefused() async throws {
        for (key, element, size) in [
            (Self.tokens, 8, 8), ("tokenizer.ggml.token_type", 5, 4), ("tokenizer.ggml.scores", 6, 4),
            ("tokenizer.ggml.merges", 8, 8),
        ] as [(String, UInt32, UInt64)] {
            for count in [1 << 30, 1 << 32, 1 << 62, .max, .max / size] as [UInt64] {
                var file = Self.bytePair
                let header = [UInt8(element), 0, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }
                file[key] = .raw(type: 9, header)
                let outcome = try await Outcome(of: file.bytes)
                #expect(outcome.error?.description.contains("\"\(key)\" count") == true, "\(outcome)")
            }
        }
    }

    @Test func listsAboveTheLimitsAreRefused() async throws {
        var file = Self.bytePair
        file[Self.tokens] = .strings(Array(repeating: [], count: (1 << 19) + 1))
        #expect(try await Outcome(of: file.bytes).error?.description.contains("expected 1 to 524288 tokens") == true)
        file = Self.bytePair
        file["tokenizer.ggml.merges"] = .strings(Array(repeating: [], count: (1 << 20) + 1))
        #expect(try await Outcome(of: file.bytes).error?.description.contains("expected at most 1048576") == true)
        file = Self.bytePair
        var tokens = Self.texts(file)
        tokens[0] = Array(repeating: 0x61, count: 1 << 20)
        file[Self.tokens] = .strings(tokens)
        #expect(try await Outcome(of: file.bytes).error?.description.contains("expected at most 524288") == true)
    }

    private static func texts(_ file: TinyModelFile) -> [[UInt8]] {
        if case .strings(let texts)? = file[tokens] { texts } else { [] }
    }
}
