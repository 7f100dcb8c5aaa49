import ApusCore

/// A model as the Hugging Face hub lays it out: a folder of JSON files, a template and safetensors files.
///
/// Each file is read when it is asked for. All methods throw `ApusError` that names file, place, expected and found
/// value for a broken file. Thread-safe.
public struct ModelFolder: Sendable {
    /// The folder.
    public let path: String
    /// The content of `config.json`: architecture and hyperparameters.
    public let configuration: JSONValue

    private static let tensorFile = "model.safetensors"
    private static let tensorIndexFile = "model.safetensors.index.json"
    // Real templates have a few kilobytes.
    private static let maximumTemplateLength = 1 << 20

    /// Opens a folder and reads its `config.json`.
    /// - Throws: `ApusError`, with code `notFound` if there is no such file.
    public init(path: String) throws {
        self.path = path
        configuration = try JSONValue(parsing: try MappedFile(path: path + "/config.json").bytes)
    }

    /// The content of `generation_config.json`; nil if there is none.
    public func generationConfiguration() throws -> JSONValue? { try json("generation_config.json") }

    /// The content of `tokenizer.json`; nil if there is none.
    public func tokenizer() throws -> JSONValue? { try json("tokenizer.json") }

    /// The content of `tokenizer_config.json`; nil if there is none.
    public func tokenizerConfiguration() throws -> JSONValue? { try json("tokenizer_config.json") }

    /// The text of `chat_template.jinja`; nil if there is none (the template may then be in the tokenizer's
    /// configuration).
    public func chatTemplate() throws -> String? {
        guard let bytes = try bytesIfPresent("chat_template.jinja") else { return nil }
        let limit = Self.maximumTemplateLength
        guard bytes.count <= limit, let text = bytes.text else {
            throw ApusError.malformed(
                bytes.file.path,
                "template",
                expected: "at most \(limit) bytes of valid UTF-8",
                found: bytes.count > limit ? "\(bytes.count)" : "bytes that are not"
            )
        }
        return text
    }

    /// The model's tensors: those of `model.safetensors`, else of the shards in `model.safetensors.index.json`.
    public func tensors() throws -> SafetensorsModel {
        if let file = try bytesIfPresent(Self.tensorFile) { return try SafetensorsModel(path: file.file.path) }
        if let index = try bytesIfPresent(Self.tensorIndexFile) {
            return try SafetensorsModel(indexPath: index.file.path)
        }
        throw ApusError(.notFound, "\(path): expected \(Self.tensorFile) or \(Self.tensorIndexFile), found neither")
    }

    private func json(_ name: String) throws -> JSONValue? {
        try bytesIfPresent(name).map { try JSONValue(parsing: $0) }
    }

    private func bytesIfPresent(_ name: String) throws -> FileBytes? {
        do {
            return try MappedFile(path: "\(path)/\(name)").bytes
        } catch let error as ApusError where error.code == .notFound {
            return nil
        }
    }
}
