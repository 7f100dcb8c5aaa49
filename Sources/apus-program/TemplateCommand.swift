import Apus
import ApusCore
import ApusStore
import ArgumentParser

/// `apus template`: the prompt a chat template makes of messages.
struct TemplateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "template",
        abstract: "Render a chat template over messages: prints the prompt and nothing else.",
        discussion: """
            Examples:
              apus template smollm2 --messages messages.json
              apus template ./chat_template.jinja --messages messages.json --tools tools.json --bos '<s>' --eos '</s>'
              apus template smollm2 --messages messages.json --no-generation-prompt --now 2026-01-31T12:00:00Z
            """
    )

    @Argument(help: "A model, or a .jinja file.")
    var model: String
    @Flag(help: ModelArgument.offlineHelp)
    var offline = false
    @Option(help: "A JSON file with an array of messages.")
    var messages: String
    @Option(help: "A JSON file with an array of tools.")
    var tools: String?
    @Option(help: "The text of the BOS token (default: the model's).")
    var bos: String?
    @Option(help: "The text of the EOS token (default: the model's).")
    var eos: String?
    @Option(help: "The time strftime_now sees, ISO 8601 (default: now).")
    var now: String?
    @Flag(help: "End without the beginning of the assistant's answer.")
    var noGenerationPrompt = false

    func run() async throws {
        let clock = try clock()
        let messages = try values(in: messages)
        let tools = try tools.map { try values(in: $0) }
        let (source, bosToken, eosToken) = try await template(hasTools: tools != nil)
        let text = try ChatTemplate(source: source).render(
            messages: messages,
            tools: tools,
            addGenerationPrompt: !noGenerationPrompt,
            bosToken: bos ?? bosToken,
            eosToken: eos ?? eosToken,
            now: clock
        )
        Terminal.write(text)
    }

    private func clock() throws -> CalendarTime {
        guard let now else { return CalendarTime.now }
        guard let time = CalendarTime(iso8601: now) else {
            throw ValidationError("--now: expected ISO 8601 such as 2026-01-31T12:00:00Z, found \"\(now)\"")
        }
        return time
    }

    private func values(in path: String) throws -> [ChatValue] {
        let json = try JSONValue(parsing: try MappedFile(path: path).bytes)
        return try json.elements().map { try ChatValue($0) }
    }

    private func template(hasTools: Bool) async throws -> (source: String, bos: String?, eos: String?) {
        if model.hasSuffix(".jinja") {
            return (String(decoding: try Terminal.readFile(model), as: UTF8.self), nil, nil)
        }
        let file = try ModelFile(path: try await ModelArgument.resolve(model, isOffline: offline).path)
        guard let source = try file.templateSource(hasTools: hasTools) else {
            throw ModelFile.missingTemplate
        }
        let tokenizer = try file.tokenizer()
        func text(_ id: Int32?) -> String? { id.map { String(decoding: tokenizer.token($0), as: UTF8.self) } }
        return (source, text(tokenizer.bos), text(tokenizer.eos))
    }
}
