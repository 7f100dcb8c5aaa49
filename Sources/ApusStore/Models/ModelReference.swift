import ApusCore

/// What a user typed for MODEL: a name, a path, or a place to pull from.
package enum ModelReference: Sendable, Equatable {
    /// A name of the store or the catalogue.
    case name(String)
    /// A file or folder on this machine.
    case path(String)
    /// A repository on the Hugging Face hub.
    case hub(HubReference)
    /// A model in Ollama's store, as `name` or `name:tag`.
    case ollama(String)

    /// Reads a reference; what could be a name or a path is a name unless it holds a slash or ends in `.gguf`.
    /// - Throws: `ApusError` if it has no meaning, saying what is expected.
    package init(_ text: String) throws {
        if text.hasPrefix("hf:") {
            self = .hub(try HubReference(String(text.dropFirst(3))))
        } else if text.hasPrefix("ollama:") {
            self = .ollama(String(text.dropFirst(7)))
        } else if text.contains("/") || text == "." || text == ".." || text.lowercased().hasSuffix(".gguf") {
            self = .path(text)
        } else if ModelName.isValid(text) || FileSystem.kind(of: text) != nil {
            self = .name(text)
        } else {
            throw ApusError(
                .invalidArgument,
                "'\(text)': expected a model's name (apus list --all), a .gguf file, a folder with safetensors, "
                    + "or hf:organisation/repository"
            )
        }
    }
}
