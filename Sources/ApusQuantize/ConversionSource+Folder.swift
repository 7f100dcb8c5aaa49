package import Apus
import ApusCore
import ApusFormats
import ApusModels
import ApusTensor

extension ConversionSource {
    /// Takes a GGUF file, or a folder in the hub's layout: `config.json`, `tokenizer.json`, safetensors.
    ///
    /// Of a folder, matrices are taken as stored, in the order of rows that GGUF wants; vectors become F32 with what a family
    /// adds to its norms, as llama.cpp wants them; settings that GGUF keeps as vectors are computed.
    /// - Throws: `ApusError` for broken files, and `unsupported` for what GGUF has no place for.
    package init(_ file: ModelFile) throws {
        switch file.source {
        case .gguf(let gguf): try self.init(gguf)
        case .folder(let folder): try self.init(file, folder)
        }
    }

    private init(_ file: ModelFile, _ folder: ModelFolder) throws {
        let model = try file.model()
        let weights = try folder.tensors()
        let configuration = model.configuration
        guard let embedding = model.tensors.tensor(named: "token_embd.weight"), embedding.shape.count == 2 else {
            throw ApusError(
                .malformedFile,
                "\(folder.path): expected tensor \(model.tensors.nameInFile("token_embd.weight")), a matrix; found none"
            )
        }
        let vocabularySize = embedding.shape[1]
        let architecture = try model.ggufFields(vocabularySize: vocabularySize)
        let reader = try file.tokenizer()
        let tokenizer = try Self.naming(folder.path) { try reader.ggufFields(count: vocabularySize) }
        let tensors = try weights.tensors.compactMap { try Self.tensor($0, of: model) }
        var names = Set<String>()
        if let twice = tensors.first(where: { !names.insert($0.name).inserted }) {
            throw ApusError(.malformedFile, "\(folder.path): expected one tensor \(twice.name), found two")
        }
        let vectors = try model.family.ggufExtras(configuration).vectors
        let inOrder = tensors.enumerated().sorted {
            (Self.layer(of: $0.element.name), $0.offset) < (Self.layer(of: $1.element.name), $1.offset)
        }.map(\.element)
        self.init(
            path: folder.path,
            weightPaths: weights.paths.sorted(),
            paths: weights.paths + ["config.json", "tokenizer.json"].map { "\(folder.path)/\($0)" },
            fields: architecture + [
                ("general.type", .string("model")), ("general.name", .string(Self.name(folder, model))),
            ]
                + tokenizer + (try Self.templateFields(file)),
            tensors: vectors.map { .init(name: $0.name, shape: [$0.values.count], content: .computed($0.values)) }
                + inOrder,
            layerCount: configuration.layerCount,
            queryHeadsPerKeyValueHead: configuration.queryHeadCount / configuration.keyValueHeadCount
        )
    }

    /// The tensor as GGUF holds it; nil for what GGUF files leave out.
    private static func tensor(_ tensor: TensorInfo, of model: ModelSource) throws -> Tensor? {
        // Frequencies that follow from the configuration, which old checkpoints list.
        if tensor.name.hasSuffix(".rotary_emb.inv_freq") { return nil }
        guard let name = model.family.tensorNames.ggufName(of: tensor.name) else {
            throw ApusError(
                .unsupported,
                "\(tensor.bytes.file.path): tensor \(tensor.name.quotedForMessage): expected one of a "
                    + "\(model.family.architecture) model, found a name that it has no use for"
            )
        }
        if name == "output.weight", model.configuration.tiesEmbeddings { return nil }
        let order = try order(of: tensor, name, in: model)
        guard tensor.shape.count < 2 else {
            return Tensor(name: name, shape: tensor.shape, content: .stored(tensor.bytes, tensor.type, order: order))
        }
        let offset = name.hasSuffix("norm.weight") ? model.configuration.normOffset : 0
        let values = try naming("\(tensor.bytes.file.path): tensor \(tensor.name)") {
            try ElementCodec.decode(tensor.bytes, as: tensor.type)
        }
        let ordered = order.map { order in values.indices.map { values[order($0)] } } ?? values
        return Tensor(name: name, shape: tensor.shape, content: .computed(ordered.map { $0 + offset }))
    }

    /// Where GGUF wants the rows in another order, that order.
    private static func order(
        of tensor: TensorInfo,
        _ name: String,
        in model: ModelSource
    ) throws -> (@Sendable (Int) -> Int)? {
        guard let order = model.folderRowOrder(of: name) else { return nil }
        let headDimension = model.configuration.headDimension
        guard let rowCount = tensor.shape.last, rowCount % headDimension == 0 else {
            throw ApusError(
                .malformedFile,
                "\(tensor.bytes.file.path): tensor \(tensor.name): expected rows for whole heads of \(headDimension), "
                    + "found shape \(tensor.shape) (innermost first)"
            )
        }
        return order
    }

    /// Which layer a tensor is part of: the embedding comes first, what follows the layers last.
    private static func layer(of name: String) -> Int {
        let parts = name.split(separator: ".")
        guard parts.first == "blk", parts.count > 1, let layer = Int(parts[1]) else {
            return parts.first == "token_embd" ? -1 : .max
        }
        return layer
    }

    /// The folder's name; phi3's must say so, because that is how readers of GGUF know that its markers swallow white space.
    private static func name(_ folder: ModelFolder, _ model: ModelSource) -> String {
        let name = folder.path.split(separator: "/").last.map(String.init) ?? folder.path
        let isNamed = ["phi3", "phi-3"].contains { name.lowercased().contains($0) }
        return model.family.architecture == "phi3" && !isNamed ? "Phi-3 \(name)" : name
    }

    /// Puts a place before the message of an error that names none.
    private static func naming<Result>(_ place: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as ApusError {
            throw ApusError(error.code, "\(place): \(error.message)", cause: error.cause)
        }
    }

    private static func templateFields(_ file: ModelFile) throws -> [(key: String, value: GGUFHeader.Value)] {
        let key = "tokenizer.chat_template"
        let sources = try file.templates().sources
        return sources.sorted { $0.key < $1.key }.map { name, source in
            (name == "default" ? key : "\(key).\(name)", .string(source))
        }
    }
}
