import ApusCore
import ApusFormats
import Foundation
import Subprocess
import Testing

/// The fields scripts depend on.
@Suite struct JSONOutputTests {
    @Test func runHasItsFields() async throws {
        guard let model = Program.model else { return }
        let outcome = try await Program.run(
            "run",
            model,
            "Say hello.",
            "--temperature",
            "0",
            "--max-tokens",
            "4",
            "--json"
        )
        let fields = try fields(of: outcome)
        #expect(
            Set(fields.keys) == ["text", "tokens", "prompt_tokens", "finish_reason", "timings", "peak_rss_bytes"]
        )
        #expect(try fields["tokens"]?.elements().count == 4)
        #expect(try fields["finish_reason"]?.string() == "length")
        #expect(try names(fields["timings"]) == ["load_ms", "prefill_tps", "decode_tps"])
    }

    @Test func benchHasItsFields() async throws {
        guard let model = Program.model else { return }
        let outcome = try await Program.run(
            "bench",
            model,
            "--prompt",
            "8",
            "--generate",
            "2",
            "--repeat",
            "1",
            "--no-kernels",
            "--json"
        )
        let fields = try fields(of: outcome)
        let expected: Set = [
            "model", "tier", "threads", "prefill_tps", "decode_tps", "read_gbps", "dot_gmacs", "decode_bandwidth_share",
            "prefill_dot_share", "peak_rss_bytes",
        ]
        #expect(expected.isSubset(of: fields.keys))
        #expect(try names(fields["prefill_tps"]) == ["median", "min", "max"])
        #expect(try names(fields["decode_tps"]) == ["median", "min", "max"])
    }

    @Test func benchWithoutAModelMeasuresEveryTypeOnEveryTier() async throws {
        let fields = try fields(of: try await Program.run("bench", "--json"))
        let tiers = try #require(try fields["kernels"]?.members()["tiers"]?.elements())
        #expect(tiers.count >= 1)
        for tier in tiers {
            let types = try #require(try tier.members()["types"]?.elements())
            #expect(types.count == ElementType.allCases.count)
            for type in types {
                #expect(
                    try names(type) == [
                        "type", "gmacs_1", "share_1", "gmacs_8", "share_8", "gmacs_512", "share_512", "read_gbps_1",
                    ]
                )
            }
        }
    }

    @Test func perplexityHasItsFields() async throws {
        guard let model = Program.model else { return }
        let text = FileManager.default.temporaryDirectory.appending(path: "apus-perplexity-\(UUID()).txt")
        try String(repeating: "The quick brown fox jumps over the lazy dog. ", count: 40)
            .write(to: text, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: text) }
        let outcome = try await Program.run(
            "eval",
            "perplexity",
            model,
            "--file",
            text.path(),
            "--context",
            "128",
            "--chunks",
            "1",
            "--json"
        )
        #expect(Set(["perplexity", "stderr", "tokens"]).isSubset(of: try fields(of: outcome).keys))
    }

    @Test func showHasLicenceTemplateAndMemoryPlan() async throws {
        guard let model = Program.model else { return }
        let fields = try fields(of: try await Program.run("show", model, "--json"))
        let expected: Set = ["architecture", "licence", "chat_template", "memory_plan", "metadata", "tensors"]
        #expect(expected.isSubset(of: fields.keys))
        #expect(try fields["architecture"]?.string() == "llama")
        let plan = try names(fields["memory_plan"])
        #expect(plan.isSuperset(of: ["weights_bytes", "kv_bytes", "buffers_bytes", "total_bytes", "limit_bytes"]))
    }

    @Test func tokenizeIsAnArrayThatDecodesToTheInput() async throws {
        guard let model = Program.model else { return }
        let text = "Hello wörld\n"
        let ids = try await Program.run("tokenize", model, "--json", "--no-bos", input: text)
        #expect(try JSONValue(parsing: Array(ids.output.utf8), name: "ids").elements().count > 2)
        let decoded = try await Program.run("tokenize", model, "--decode", input: ids.output)
        #expect(decoded.output == text)
    }

    private func fields(of outcome: Program.Outcome) throws -> [String: JSONValue] {
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        return Dictionary(
            uniqueKeysWithValues: try members(JSONValue(parsing: Array(outcome.output.utf8), name: "output"))
        )
    }

    private func names(_ value: JSONValue?) throws -> Set<String> {
        Set(try members(try #require(value)).map(\.0))
    }

    private func members(_ value: JSONValue) throws -> [(String, JSONValue)] {
        try value.members().map { (try $0.key.string(), $0.value) }
    }
}
