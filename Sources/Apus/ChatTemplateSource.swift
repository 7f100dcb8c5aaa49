package import ApusChat
package import ApusCore
import ApusFormats

/// Where a model's files keep its chat templates.
extension ModelFile {
    /// What a base model is refused with.
    package static let missingTemplate = ApusError(
        .template,
        "the model has no chat template, so it is probably a base model: use run --raw to continue text as it stands"
    )

    /// The templates: in GGUF metadata, in `chat_template.jinja`, or in `tokenizer_config.json`, there as one text or as
    /// a list with names.
    package func templates() throws -> TemplateCatalogue {
        switch source {
        case .gguf(let file): try Self.templates(in: file.metadata)
        case .folder(let folder): try Self.templates(in: folder)
        }
    }

    private static func templates(in metadata: GGUFMetadata) throws -> TemplateCatalogue {
        let key = "tokenizer.chat_template"
        var named: [String: String] = [:]
        for field in metadata where field.key.hasPrefix(key + ".") {
            named[String(field.key.dropFirst(key.count + 1))] = try metadata.string(field.key)
        }
        return TemplateCatalogue(main: try metadata.stringIfPresent(key), named: named)
    }

    private static func templates(in folder: ModelFolder) throws -> TemplateCatalogue {
        if let file = try folder.chatTemplate() { return TemplateCatalogue(main: file) }
        guard let value = try folder.tokenizerConfiguration()?.memberIfPresent("chat_template") else {
            return TemplateCatalogue(main: nil)
        }
        guard value.kind == .array else { return TemplateCatalogue(main: try value.string()) }
        var named: [String: String] = [:]
        for entry in try value.elements() {
            named[try entry.member("name").string()] = try entry.member("template").string()
        }
        return TemplateCatalogue(main: nil, named: named)
    }

    /// The template for conversations with or without tools; nil where the model has none.
    package func templateSource(hasTools: Bool = false) throws -> String? {
        let templates = try templates()
        return templates.sources.isEmpty ? nil : try templates.source(hasTools: hasTools, model: path)
    }
}
