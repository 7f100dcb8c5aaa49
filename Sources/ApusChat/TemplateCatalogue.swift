import ApusCore

/// The chat templates that come with a model.
///
/// Most models have one. Some name several, such as `default` and `tool_use`: GGUF keeps them under
/// `tokenizer.chat_template.NAME`, the hub's `tokenizer_config.json` as a list of names and templates.
public struct TemplateCatalogue: Sendable {
    /// The sources by name; a model's only template is called `default`.
    public let sources: [String: String]

    /// The names of the hub and of GGUF for the template used without and with tools.
    private static let (defaultName, toolName) = ("default", "tool_use")

    /// Creates a catalogue.
    /// - Parameters:
    ///   - main: the unnamed template: GGUF's `tokenizer.chat_template`, the hub's `chat_template` string or
    ///     `chat_template.jinja`.
    ///   - named: further templates by name.
    public init(main: String?, named: [String: String] = [:]) {
        var sources = named
        if let main { sources[TemplateCatalogue.defaultName] = main }
        self.sources = sources
    }

    /// The template for a conversation, chosen as `transformers` does: the one of the given name; otherwise
    /// `tool_use` if there are tools and the model has it, and `default` if not.
    /// - Parameters:
    ///   - name: a template's name, nil to choose.
    ///   - hasTools: whether tools are passed to the template.
    ///   - model: how error messages name the model.
    /// - Throws: `ApusError` with code `notFound` for a base model, which has no template at all, for an unknown name
    ///   and where there is no default to choose.
    public func source(named name: String? = nil, hasTools: Bool, model: String) throws -> String {
        if sources.isEmpty {
            throw ApusError(
                .notFound,
                "\(model) has no chat template: it is a base model that continues text; use --raw to give it the prompt"
                    + " as it is"
            )
        }
        let names = sources.keys.sorted().joined(separator: ", ")
        if let name {
            guard let source = sources[name] else {
                throw ApusError(.notFound, "\(model) has no chat template '\(name)'; it has: \(names)")
            }
            return source
        }
        let toolSource = hasTools ? sources[TemplateCatalogue.toolName] : nil
        guard let source = toolSource ?? sources[TemplateCatalogue.defaultName] else {
            throw ApusError(
                .notFound,
                "\(model) has several chat templates and no default; choose one of: \(names)"
            )
        }
        return source
    }
}
