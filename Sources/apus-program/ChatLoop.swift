import Apus
import ApusCore
import ArgumentParser

/// Reads messages and commands, prints answers.
struct ChatLoop {
    private let model: Model
    private let options: GenerationOptions
    private var session: ChatSession
    private var lastMessage: String?

    init(model: Model, system: String?, options: GenerationOptions) {
        self.model = model
        self.options = options
        session = model.chat(system: system, options: options)
    }

    mutating func run() async throws {
        if Terminal.isInputTerminal { Terminal.note("/help lists the commands, Control-D leaves.\n") }
        while let message = nextMessage() {
            let words = message.split(separator: " ", maxSplits: 1).map(String.init)
            switch words.first ?? "" {
            case "": continue
            case "/bye", "/exit", "/quit": return
            case "/help": Terminal.note(Self.help)
            case "/clear": session.reset()
            case "/system": session = model.chat(system: words.count > 1 ? words[1] : nil, options: options)
            case "/save": save(to: words.count > 1 ? words[1] : "")
            case "/regenerate":
                guard let lastMessage, session.removeLastExchange() else {
                    Terminal.note("There is nothing to answer again.\n")
                    continue
                }
                try await answer(lastMessage)
            case let word where word.hasPrefix("/") && !word.dropFirst().contains("/"):
                Terminal.note("Unknown command \(word); /help lists them.\n")
            default: try await answer(message)
            }
        }
        if Terminal.isInputTerminal { Terminal.note("\n") }
    }

    private static let help = """
        /clear          forget the conversation
        /system TEXT    set the system prompt and start anew
        /regenerate     answer the last message again
        /save FILE      write the conversation as JSON messages
        /bye            leave
        A line that ends with \\ goes on in the next; \"\"\" opens and closes a message of several lines.

        """

    /// A message, possibly of several lines; nil at the end of input.
    private func nextMessage() -> String? {
        guard var line = prompted(">>> ") else { return nil }
        if line.hasPrefix("\"\"\"") {
            var lines = [String(line.dropFirst(3))]
            while let next = prompted("... ") {
                if next.hasSuffix("\"\"\"") {
                    lines.append(String(next.dropLast(3)))
                    break
                }
                lines.append(next)
            }
            return lines.joined(separator: "\n")
        }
        while line.hasSuffix("\\"), let next = prompted("... ") { line = line.dropLast() + "\n" + next }
        return line
    }

    private func prompted(_ prompt: String) -> String? {
        if Terminal.isInputTerminal { Terminal.note(prompt) }
        return readLine()
    }

    private mutating func answer(_ message: String) async throws {
        lastMessage = message
        var said = ""
        do {
            let generation = try session.send(message)
            said = try await Terminal.untilInterrupt { report in
                for try await piece in generation { report(piece.text) }
            }
            Terminal.write("\n")
        } catch let error as ApusError where error.code == .contextFull {
            Terminal.note("\(error.message)\nThe conversation is full: /clear starts anew.\n")
            return
        }
        session.append(answer: said)
    }

    private func save(to path: String) {
        guard !path.isEmpty else {
            Terminal.note("/save needs a file name.\n")
            return
        }
        do {
            try Terminal.writeFile(session.jsonText + "\n", to: path)
            Terminal.note("Saved to \(path).\n")
        } catch {
            Terminal.note("\(error)\n")
        }
    }
}
