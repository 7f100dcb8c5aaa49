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

            Environment:
              APUS_HOME         the folder of the model store (default: apus in XDG_CACHE_HOME)
              APUS_KERNELS      forces a kernel tier: scalar, avx2, avx512, avx512vnni or neon
              XDG_CACHE_HOME    the folder of caches (default: ~/.cache)
              HF_TOKEN          the access token sent to the Hugging Face hub, and only to it
              HF_TOKEN_PATH     a file with the token (default: token in HF_HOME)
              HF_HOME           the hub's folder (default: huggingface in XDG_CACHE_HOME)
              HF_HUB_CACHE      the hub's cache, from which files are adopted (default: hub in HF_HOME)
              HF_HUB_OFFLINE    1 forbids every download, as --offline does
              HF_ENDPOINT       the hub's address (default: https://huggingface.co)
              OLLAMA_MODELS     Ollama's store, from which files are adopted (default: ~/.ollama/models)
            """,
        version: version,
        subcommands: [
            RunCommand.self, ChatCommand.self, ServeCommand.self, PullCommand.self, ListCommand.self,
            RemoveCommand.self, ShowCommand.self, TokenizeCommand.self, TemplateCommand.self, BenchCommand.self,
            EvalCommand.self, QuantizeCommand.self, ImatrixCommand.self, InfoCommand.self,
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
            try UnknownCommand.check(Array(CommandLine.arguments.dropFirst()))
            var command = try parseAsRoot()
            do {
                if var command = command as? any AsyncParsableCommand {
                    try await command.run()
                } else {
                    try command.run()
                }
            } catch let error as ValidationError {
                Terminal.exitForWrongUsage(error.message, of: type(of: command))
            }
        } catch {
            Terminal.exit(with: error)
        }
    }
}
