import ApusFormats
import ApusTestSupport
import Foundation
import Subprocess
import Testing

@Suite struct CompareCommandTests {
    private static let text = String(
        repeating: "A spider sits in its web and waits for rain. Rivers carry stones to the sea. ",
        count: 20
    )

    private func run(_ words: [String]) async throws -> Program.Outcome {
        try await Program.run(.path(Program.path), ["eval", "compare"] + words, input: .none)
    }

    @Test func variantsAreMeasuredAndDrawn() async throws {
        guard let model = Program.model else { return }
        let folder = try TemporaryFolder()
        let text = try folder.write(Self.text, to: "text <b>&.txt")
        let page = "\(folder.path)/report.html"
        let work = [
            "--file", text, "--context", "64", "--chunks", "2", "--prompt", "16", "--generate", "4", "--repeat", "2",
        ]
        let outcome = try await run([model, "\(model),kv=q8_0", "\(model),kv=kivi2", "--html", page, "--json"] + work)
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        let report = try JSONValue(parsing: Array(outcome.output.utf8), name: "output")
        let variants = Array(try report.member("variants").elements())
        #expect(try variants.map { try $0.member("kv").string() } == ["f16", "q8_0", "kivi2"])
        #expect(try variants[0].memberIfPresent("loss") == nil)
        #expect(try report.member("text").member("predictions").integer() == 62)
        let bytes = try variants.map { try $0.member("kv_bytes_per_token").integer() }
        #expect(bytes[0] > bytes[1] && bytes[1] > bytes[2])
        for variant in variants { #expect(try variant.member("decode_tps").member("median").double() > 0) }
        // The same as apus eval kl finds.
        let alone = try await Program.run(
            .path(Program.path),
            ["eval", "kl", model, "--kv", "kivi2", "--file", text, "--context", "64", "--chunks", "2", "--json"],
            input: .none
        )
        let expected = try JSONValue(parsing: Array(alone.output.utf8), name: "output")
        for key in ["kl", "top_1_agreement", "perplexity"] {
            let found = try variants[2].member("loss").member(key).double()
            #expect(try found == expected.member(key).double(), "\(key)")
        }
        #expect(
            try variants[0].member("perplexity").double() == expected.member("reference_perplexity").double()
        )
        // One page: no script, nothing from elsewhere, and no markup from names.
        let html = try String(contentsOfFile: page, encoding: .utf8)
        #expect(html.contains("default-src 'none'") && html.contains("text &lt;b&gt;&amp;.txt"))
        for part in ["<script", "http:", "https:", "url(", "<b>"] { #expect(!html.contains(part), "\(part)") }
        #expect(html.components(separatedBy: "<figure>").count == 8)
        #expect(html.contains("&#39;\(folder.path)/text &lt;b&gt;&amp;.txt&#39;"))
        let again = try await run([model, "\(model),kv=q8_0", "--html", page] + work)
        #expect(again.status == .exited(1) && again.errors.contains("--force replaces it"), "\(again.errors)")
    }

    @Test(arguments: [
        (["a.gguf"], "at least one other variant"), (["a.gguf", "a.gguf"], "a.gguf twice"),
        (["a.gguf", "a.gguf,kv=q9"], "a.gguf,kv=q9"), (["a.gguf", ",kv=q8_0"], ",kv=q8_0"),
        (["a.gguf", "a.gguf,kv=q8_0", "--repeat", "0"], "--repeat: expected 1 to 1000"),
    ])
    func wrongUsageIsNamed(words: [String], message: String) async throws {
        let outcome = try await run(words + ["--file", "text"])
        #expect(outcome.status == .exited(2) && outcome.errors.contains(message), "\(outcome.errors)")
    }

    @Test func aShortTextIsFoundBeforeAnythingIsMeasured() async throws {
        guard let model = Program.model else { return }
        let folder = try TemporaryFolder()
        let outcome = try await run([model, "\(model),kv=q8_0", "--file", try folder.write("short", to: "text")])
        #expect(outcome.status == .exited(1) && outcome.errors.contains("fewer than one chunk"), "\(outcome.errors)")
        #expect(!outcome.errors.contains("round 1"))
    }
}
