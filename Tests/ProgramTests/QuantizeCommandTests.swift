import ApusFormats
import ApusTestSupport
import Foundation
import Subprocess
import SystemPackage
import Testing

@Suite struct QuantizeCommandTests {
    private static let text = String(
        repeating: "A spider sits in its web and waits for rain. Rivers carry stones to the sea. ",
        count: 20
    )

    /// A tokenizer of 96 characters, as many as the models of Fixtures/models have rows, and a token that has none.
    private static let tokenizer = {
        let characters = (33...126).map { String(UnicodeScalar(UInt8($0))) } + ["\u{120}", "\u{10A}"]
        let entries = characters.enumerated().map { "\($1.debugDescription.replacing("\\'", with: "'")): \($0)" }
        return """
            {"added_tokens": [{"id": 96, "content": "<image>", "special": true}],
             "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
             "model": {"type": "BPE", "vocab": {\(entries.joined(separator: ", "))}, "merges": []}}
            """
    }()

    private func json(_ outcome: Program.Outcome) throws -> JSONValue {
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        return try JSONValue(parsing: Array(outcome.output.utf8), name: "output")
    }

    @Test func aFileIsWrittenMeasuredAndRuns() async throws {
        guard let model = Program.model else { return }
        let folder = try TemporaryFolder()
        let (text, target) = (try folder.write(Self.text, to: "text"), "\(folder.path)/small.gguf")
        let words = [
            model, target, "--type", "q3_k_m", "--measure", text, "--context", "64", "--chunks", "2", "--json",
        ]
        let outcome = try await Program.run(.path(Program.path), ["quantize"] + words, input: .none)
        let report = try json(outcome)
        #expect(outcome.errors.contains("warning: the source was quantized before"))
        #expect(try report.member("type").string() == "Q3_K_M")
        #expect(try report.member("bytes").integer() == FileManager.default.contents(atPath: target)?.count)
        let loss = try report.member("loss")
        #expect(try loss.member("kl").double() > 0 && loss.member("predictions").integer() == 62)
        // The file keeps it, and another measurement finds the same.
        let shown = try await Program.run("show", target).output
        #expect(shown.contains("apus.fidelity.type = Q3_K_M"), "\(shown)")
        #expect(shown.contains("apus.fidelity.predictions = 62"), "\(shown)")
        let again = try json(
            try await Program.run(
                .path(Program.path),
                ["eval", "kl", target, "--reference", model, "--file"] + words[5...],
                input: .none
            )
        )
        for key in ["kl", "top_1_agreement", "perplexity"] {
            #expect(try again.member(key).double() == loss.member(key).double(), "\(key)")
        }
        let answer = try await Program.run("run", target, "Once", "--raw", "--temperature", "0", "--max-tokens", "4")
        #expect(answer.status == .exited(0) && !answer.output.isEmpty)
    }

    @Test func aFolderBecomesAFileWithAStatement() async throws {
        let folder = try TemporaryFolder()
        let source = "\(folder.path)/tiny"
        try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
        for file in ["config.json", "model.safetensors"] {
            try FileManager.default.copyItem(atPath: Fixture.path("models/qwen3/\(file)"), toPath: "\(source)/\(file)")
        }
        try folder.write(Self.tokenizer, to: "tiny/tokenizer.json")
        let text = try folder.write(String(repeating: "9 8 7 6 5 ", count: 40), to: "text")
        let (matrix, target) = ("\(folder.path)/imatrix.gguf", "\(folder.path)/tiny.gguf")
        let made = try await Program.run("imatrix", source, "--file", text, "--context", "16", "-o", matrix)
        #expect(made.status == .exited(0), "\(made.errors)")
        let words = [
            source, target, "--type", "q4_0", "--imatrix", matrix, "--measure", text, "--context", "16", "--json",
        ]
        let report = try json(try await Program.run(.path(Program.path), ["quantize"] + words, input: .none))
        #expect(try report.member("loss").member("kl").double() > 0)
        let shown = try await Program.run("show", target).output
        #expect(shown.contains("apus.fidelity.source = tiny"), "\(shown)")
        let answer = try await Program.run("run", target, "9 8", "--raw", "--temperature", "0", "--max-tokens", "4")
        #expect(answer.status == .exited(0), "\(answer.errors)")
        // A text that is too short is found before anything is written.
        let short = try folder.write("9", to: "short")
        let refused = try await Program.run(
            "quantize",
            source,
            "\(folder.path)/other.gguf",
            "--type",
            "q8_0",
            "--measure",
            short,
            "--context",
            "64"
        )
        #expect(
            refused.status == .exited(1) && refused.errors.contains("fewer than one chunk of 64"),
            "\(refused.errors)"
        )
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/other.gguf.part"))
    }

    @Test func anImportanceMatrixIsMadeAndUsed() async throws {
        guard let model = Program.model else { return }
        let folder = try TemporaryFolder()
        let text = try folder.write(Self.text, to: "text.txt")
        let (matrix, target) = ("\(folder.path)/imatrix.gguf", "\(folder.path)/small.gguf")
        let report = try json(
            try await Program.run(
                .path(Program.path),
                ["imatrix", model, "--file", text, "--context", "64", "--chunks", "2", "-o", matrix, "--json"],
                input: .none
            )
        )
        #expect(try report.member("path").string() == matrix && report.member("matrices").integer() == 210)
        #expect(try report.member("chunks").integer() == 2 && report.member("tokens").integer() == 128)
        let outcome = try await Program.run("quantize", model, target, "--type", "q3_k_m", "--imatrix", matrix)
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        let shown = try await Program.run("show", target).output
        #expect(shown.contains("apus.fidelity.calibration = imatrix.gguf"), "\(shown)")
        #expect(shown.contains("apus.fidelity.calibration_sha256 = "), "\(shown)")
        let wrong = "\(folder.path)/wrong.gguf"
        expectOneLine(
            try await Program.run("quantize", model, wrong, "--type", "q4_0", "--imatrix", model),
            model,
            "general.type"
        )
        expectOneLine(try await Program.run("imatrix", model, "--file", text, "-o", matrix), matrix, "--force")
        expectOneLine(try await Program.run("imatrix", model, "--file", text, "-o", text, "--force"), text, "source")
        expectOneLine(
            try await Program.run("imatrix", model, "--file", text, "--context", "8000", "-o", wrong),
            "fewer than one chunk"
        )
        #expect(folder.files() == ["imatrix.gguf", "small.gguf", "text.txt"])
    }

    @Test func whatIsThereIsNotReplacedUnasked() async throws {
        guard let model = Program.model else { return }
        let folder = try TemporaryFolder()
        let target = try folder.write("mine", to: "out.gguf")
        expectOneLine(try await Program.run("quantize", model, target, "--type", "q8_0"), target, "--force")
        #expect(FileManager.default.contents(atPath: target) == Data("mine".utf8))
        let forced = try await Program.run("quantize", model, target, "--type", "q4_0", "--force")
        #expect(forced.status == .exited(0), "\(forced.errors)")
        let link = "\(folder.path)/link.gguf"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: target)
        expectOneLine(
            try await Program.run("quantize", target, link, "--type", "q8_0", "--force"),
            link,
            "source itself"
        )
        #expect(folder.files() == ["link.gguf", "out.gguf"])
    }

    @Test func aFullDiskIsAnErrorAndTheNextRunGoesOn() async throws {
        guard let model = Program.model else { return }
        let folder = try TemporaryFolder()
        let target = "\(folder.path)/out.gguf"
        let script = #"ulimit -f 40000; exec "$0" quantize "$1" "$2" --type q8_0"#
        let words = ["-c", script, Program.path.string, model, target]
        let outcome = try await Program.run(.name("bash"), words, input: .none)
        #expect(outcome.status == .exited(1))
        #expect(outcome.errors.contains("\(target).part: cannot write"), "\(outcome.errors)")
        #expect(folder.files() == ["out.gguf.part"])
        let left = FileManager.default.contents(atPath: "\(target).part")
        let next = try await Program.run("quantize", model, target, "--type", "q8_0")
        #expect(next.status == .exited(0), "\(next.errors)")
        let whole = try #require(FileManager.default.contents(atPath: target))
        #expect(try whole.starts(with: #require(left).prefix(30_000_000)))
        #expect(folder.files() == ["out.gguf"])
    }

    @Test func foldersAndMissingPlacesAreRefused() async throws {
        guard let model = Program.model else { return }
        let folder = try TemporaryFolder()
        let target = "\(folder.path)/missing/out.gguf"
        expectOneLine(try await Program.run("quantize", model, target, "--type", "q8_0"), target, "No such file")
        let outcome = try await Program.run("quantize", folder.path, "\(folder.path)/out.gguf", "--type", "q8_0")
        expectOneLine(outcome, folder.path)
    }

    @Test(arguments: [
        ["quantize", "in.gguf", "out.gguf"], ["quantize", "in.gguf", "out.gguf", "--type", "q9_9"],
        ["quantize", "in.gguf", "out.gguf", "--type", "q8_0", "--tensor", "blk"],
        ["imatrix", "in.gguf", "--file", "text"], ["imatrix", "in.gguf", "-o", "out"],
        ["imatrix", "in.gguf", "--file", "text", "-o", "out", "--chunks", "0"],
        ["imatrix", "in.gguf", "--file", "text", "-o", "out", "--threads", "0"],
        ["eval", "kl", "in.gguf", "--file", "text"],
        ["eval", "kl", "in.gguf", "--file", "text", "--kv", "q8_0", "--worst", "-1"],
    ])
    func wrongUsageIsExitCodeTwo(words: [String]) async throws {
        let outcome = try await Program.run(.path(Program.path), words, input: .none)
        #expect(outcome.status == .exited(2), "\(outcome)")
        #expect(outcome.errors.hasPrefix("apus: error: "), "\(outcome.errors)")
    }

    @Test func anotherCacheIsComparedForPeople() async throws {
        guard let model = Program.model else { return }
        let folder = try TemporaryFolder()
        let text = try folder.write(Self.text, to: "text")
        let outcome = try await Program.run(
            "eval",
            "kl",
            model,
            "--kv",
            "q8_0",
            "--file",
            text,
            "--context",
            "64",
            "--chunks",
            "1",
            "--worst",
            "2"
        )
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        for part in ["mean KL", "same top-1", "same top-5", "perplexity", "predictions  31", "the reference expects"] {
            #expect(outcome.output.contains(part), "\(outcome.output)")
        }
    }

    private func expectOneLine(_ outcome: Program.Outcome, _ parts: String...) {
        #expect(outcome.status == .exited(1), "\(outcome)")
        let lines = outcome.errors.split(separator: "\n").filter { !$0.hasPrefix("apus: warning") }
        #expect(lines.count == 1, "\(outcome.errors)")
        for part in parts { #expect(outcome.errors.contains(part), "\(outcome.errors)") }
    }
}
