import ApusFormats
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

    @Test func theTableNamesKindsAndTheWorst() async throws {
        guard let model = Program.model else { return }
        let lines = try await Program.run("show", model, "--distribution").output.split(separator: "\n")
        #expect(lines.first?.hasPrefix("matrices ") == true)
        #expect(lines.contains { $0.hasPrefix("blk.*.ffn_down.weight (30) ") })
        #expect(lines.contains { $0.hasPrefix("all (211) ") })
        #expect(lines.contains { $0.hasPrefix("token_embd.weight  ") })
    }
}
