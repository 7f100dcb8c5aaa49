import ApusStore
import ArgumentParser

/// Tells of a mistyped command before the argument parser calls all that follows it unexpected.
enum UnknownCommand {
    /// Follows the words to the command they mean.
    /// - Throws: `ValidationError` naming the word that is no command, and the nearest that is.
    static func check(_ words: [String]) throws {
        var command: any ParsableCommand.Type = Program.self
        var path = "apus"
        // `apus help run` means the same commands as `apus run`.
        for word in words.first == "help" ? words.dropFirst() : words[...] {
            let commands = command.configuration.subcommands
            guard !commands.isEmpty, !word.hasPrefix("-") else { return }
            guard let next = commands.first(where: { $0.configuration.commandName == word }) else {
                let names = commands.compactMap { $0.configuration.commandName }
                let hint = Suggestion.nearest(to: word, among: names).map { "did you mean '\(path) \($0)'?" }
                throw ValidationError("unknown command '\(word)'; \(hint ?? "see: \(path) --help")")
            }
            command = next
            path += " \(word)"
        }
    }
}
