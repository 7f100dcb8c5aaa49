import ArgumentParser

/// `apus eval`: measures of quality.
struct EvalCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Measure a model's quality.",
        subcommands: [
            PerplexityCommand.self, DivergenceCommand.self, NeedleCommand.self, HumanEvalCommand.self,
            CompareCommand.self,
        ]
    )
}
