import ApusFormats
import ApusTestSupport
import Foundation
import Subprocess
import Testing

struct DistributionTests {
    @Test func everyMatrixIsMeasuredAndKindsAddUp() async throws {
        guard let model = Program.model else { return }
        let outcome = try await Program.run("show", model, "--distribution", "--json")
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        let report = try JSONValue(parsing: Array(outcome.output.utf8), name: "report")
        let matrices = try report.member("matrices").elements()
        #expect(matrices.count == 211)
        let weights = try matrices.map { try $0.member("weights").integer() }.reduce(0, +)
        #expect(try report.member("all").member("weights").integer() == weights)
        let kinds = try report.member("kinds").elements()
        #expect(kinds.count == 8)
        #expect(try kinds.map { try $0.member("matrices").integer() }.reduce(0, +) == matrices.count)
        // Of 32 weights none stands as far out as of a whole row.
        for matrix in matrices {
            let (rows, groups) = (try matrix.member("int4_row_error"), try matrix.member("int4_group_error"))
            #expect(try rows.double() > groups.double() && groups.double() > 0.05)
        }
    }

    @Test func thePageHoldsEveryMatrixAndNothingFromElsewhere() async throws {
        guard let model = Program.model else { return }
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/weights.html"
        let words = ["show", model, "--distribution", "--html", path]
        let outcome = try await Program.run(.path(Program.path), words, input: .none)
        #expect(outcome.status == .exited(0), "\(outcome.errors)")
        let page = try String(contentsOfFile: path, encoding: .utf8)
        for wanted in ["blk.*.ffn_down.weight", "blk.29.attn_k.weight", "<svg", "default-src 'none'", "--distribution"]
        {
            #expect(page.contains(wanted), "\(wanted)")
        }
        for forbidden in ["<script", "http://", "https://", "src="] {
            #expect(!page.contains(forbidden), "\(forbidden)")
        }
        let again = try await Program.run(.path(Program.path), words, input: .none)
        #expect(again.status == .exited(1) && again.errors.contains("--force"), "\(again.errors)")
        let alone = try await Program.run("show", model, "--html", path)
        #expect(alone.status == .exited(2) && alone.errors.contains("--distribution"), "\(alone.errors)")
    }

    @Test func theTableNamesKindsAndTheWorst() async throws {
        guard let model = Program.model else { return }
        let lines = try await Program.run("show", model, "--distribution").output.split(separator: "\n")
        #expect(lines.first?.hasPrefix("matrices ") == true)
        #expect(lines.contains { $0.hasPrefix("blk.*.ffn_down.weight (30) ") })
        #expect(lines.contains { $0.hasPrefix("all (211) ") })
        #expect(lines.contains { $0.hasPrefix("token_embd.weight  ") })
    }
}
