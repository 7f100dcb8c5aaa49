package import ApusCore
package import ApusFormats

/// Where a model keeps its chat template.
package enum ChatTemplateSource {
    /// What a base model is refused with.
    package static let missing = ApusError(
        .template,
        "the model has no chat template, so it is probably a base model: use run --raw to continue text as it stands"
    )

    package static func select(from metadata: GGUFMetadata, named name: String?) throws -> String? {
        if let name, let own = try metadata.stringIfPresent("tokenizer.chat_template.\(name)") { return own }
        return try metadata.stringIfPresent("tokenizer.chat_template")
    }

    package static func select(from folder: ModelFolder, named name: String?) throws -> String? {
        if let file = try folder.chatTemplate() { return file }
        guard let value = try folder.tokenizerConfiguration()?.memberIfPresent("chat_template"), !value.isNull else {
            return nil
        }
        guard value.kind == .array else { return try value.string() }
        var templates: [String: String] = [:]
        for entry in try value.elements() {
            templates[try entry.member("name").string()] = try entry.member("template").string()
        }
        return name.flatMap { templates[$0] } ?? templates["default"]
    }
}
