import Foundation
import Subprocess
import Testing

@Suite struct HelpTests {
    private static let folder = Program.root.appending(path: "Tests/ProgramTests/Help")
    static let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path()))?.sorted() ?? []

    @Test(arguments: names) func helpIsWhatWasCommitted(name: String) async throws {
        let expected = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
        let words = name.dropLast(".txt".count).split(separator: "-").dropFirst().map(String.init)
        let result = try await Subprocess.run(
            .path(Program.path),
            arguments: Arguments(words + ["--help"]),
            environment: Program.environment,
            output: .string(limit: 1 << 20)
        )
        #expect(result.standardOutput == expected, "if the change is meant: tools/help-snapshots")
    }

    @Test func everyCommandHasASnapshot() async throws {
        let help = try await Program.run("--help").output
        let commands = try #require(help.split(separator: "SUBCOMMANDS:").last).split(separator: "\n").compactMap {
            line in line.hasPrefix("  ") && !line.hasPrefix("   ") ? line.split(separator: " ").first : nil
        }
        let known = commands.filter { $0 != "See" }
        #expect(known.count >= 11)
        for command in known { #expect(Self.names.contains("apus-\(command).txt")) }
    }
}
