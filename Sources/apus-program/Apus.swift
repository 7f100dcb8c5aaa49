import ApusCore
import ArgumentParser

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The program: one command per verb.
@main
struct Program: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "Run language models on this machine.",
        discussion: """
            MODEL is a name (see: apus list --all), a path to a .gguf file, a folder with safetensors, \
            or hf:organisation/repository.
            """,
        version: version,
        subcommands: [
            RunCommand.self, ChatCommand.self, PullCommand.self, ListCommand.self, RemoveCommand.self, ShowCommand.self,
            TokenizeCommand.self, TemplateCommand.self, BenchCommand.self, EvalCommand.self, InfoCommand.self,
        ]
    )

    /// The version of this build.
    static let version = "0.1.0"

    /// Runs the command line: 0 when done, 1 when it failed with one line on standard error, 2 for wrong usage.
    static func main() async {
        TruncationGuard.install()
        // A file as large as the shell's limit allows is an error to report, not a signal to die of.
        signal(SIGXFSZ, SIG_IGN)
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            Terminal.exit(with: error)
        }
    }
}
