import ApusChat
package import ApusCore
package import ApusFormats
package import ApusModels
package import ApusTokenizers

/// A model's files opened, nothing loaded yet: what `show`, `tokenize` and `template` work on.
package struct ModelFile {
    /// What the model comes as.
    package enum Source: Sendable {
        case gguf(GGUFFile)
        case folder(ModelFolder)
    }

    package let path: String
    package let source: Source

    /// Opens a `.gguf` file or a folder with safetensors.
    package init(path: String) throws {
        self.path = path
        source = FolderProbe.isFolder(path) ? .folder(try ModelFolder(path: path)) : .gguf(try GGUFFile(path: path))
    }

    /// The architecture and weights.
    package func model() throws -> ModelSource {
        switch source {
        case .gguf(let file): try ModelSource(file)
        case .folder(let folder): try ModelSource(folder)
        }
    }

    /// The tokenizer, with every end-of-generation token the files name.
    package func tokenizer() throws -> Tokenizer {
        switch source {
        case .gguf(let file): try Tokenizer(file)
        case .folder(let folder): try Self.tokenizer(in: folder)
        }
    }

    private static func tokenizer(in folder: ModelFolder) throws -> Tokenizer {
        let config = "\(folder.path)/tokenizer_config.json"
        return try Tokenizer(
            json: MappedFile(path: "\(folder.path)/tokenizer.json").bytes,
            config: FolderProbe.exists(config) ? MappedFile(path: config).bytes : nil,
            endOfGeneration: endOfGeneration(in: folder),
            rowCount: folder.configuration.memberIfPresent("vocab_size").flatMap { $0.isNull ? nil : try $0.integer() }
                ?? .max
        )
    }

    /// The end-of-generation ids of `generation_config.json`, one or a list.
    private static func endOfGeneration(in folder: ModelFolder) throws -> [Int32] {
        guard let value = try folder.generationConfiguration()?.memberIfPresent("eos_token_id") else { return [] }
        let ids = value.kind == .array ? try value.elements().map { try $0.integer() } : [try value.integer()]
        return ids.compactMap { Int32(exactly: $0) }
    }

    /// The licence the files state; nil where they are silent.
    package var licence: String? {
        guard case .gguf(let file) = source else { return nil }
        return try? file.metadata.stringIfPresent("general.license")
    }

    /// The mapped files that weights and configuration come from.
    package var files: [MappedFile] {
        get throws {
            switch source {
            case .gguf(let file): file.files
            case .folder(let folder):
                [try MappedFile(path: "\(folder.path)/config.json")] + (try folder.tensors().files)
            }
        }
    }

    /// Every tensor.
    package func tensors() throws -> [TensorInfo] {
        switch source {
        case .gguf(let file): file.tensors
        case .folder(let folder): try folder.tensors().tensors
        }
    }

    /// The architectures Apus can run, by their GGUF names.
    package static var supportedArchitectures: [String] { ModelFamily.all.map(\.architecture) }
}
