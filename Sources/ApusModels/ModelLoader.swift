package import ApusCore
package import ApusFormats
package import ApusNN
package import ApusTensor

/// A model file opened and understood, its weights not yet loaded.
package struct ModelSource {
    package let family: ModelFamily
    package private(set) var configuration: ModelConfiguration
    package let tensors: any TensorSource

    /// Opens what a GGUF file describes.
    /// - Throws: `ApusError`: `unsupported` for an unknown architecture, listing the known ones.
    package init(_ file: GGUFFile) throws {
        let architecture = try file.metadata.string("general.architecture")
        guard let family = ModelFamily.all.first(where: { $0.architecture == architecture }) else {
            let known = ModelFamily.all.map(\.architecture).joined(separator: ", ")
            throw ApusError(
                .unsupported,
                "\(file.path): architecture \(architecture.quotedForMessage) is not supported; supported are: \(known)"
            )
        }
        let reader = ConfigurationReader(.gguf(file.metadata, architecture: architecture))
        try self.init(family: family, reader: reader, tensors: file)
    }

    /// Opens what a folder in the hub's layout describes.
    /// - Throws: `ApusError`: `unsupported` for an unknown model type, listing the known ones.
    package init(_ folder: ModelFolder) throws {
        let type = try folder.configuration.member("model_type").string()
        guard let family = ModelFamily.all.first(where: { $0.modelTypes.contains(type) }) else {
            let known = ModelFamily.all.flatMap(\.modelTypes).joined(separator: ", ")
            throw ApusError(
                .unsupported,
                "\(folder.path)/config.json: model_type \(type.quotedForMessage) is not supported; supported are: \(known)"
            )
        }
        try self.init(
            family: family,
            reader: ConfigurationReader(.huggingFace(folder.configuration, path: "\(folder.path)/config.json")),
            tensors: HuggingFaceTensors(folder.tensors(), names: family.tensorNames, path: folder.path)
        )
    }

    private init(family: ModelFamily, reader: ConfigurationReader, tensors: any TensorSource) throws {
        var configuration = try ModelConfiguration(reader)
        if reader.isGGUF { configuration.rotaryStyle = family.ggufRotaryStyle }
        try family.configure(&configuration, reader)
        self.family = family
        self.configuration = configuration
        self.tensors = tensors
    }

    /// The model for contexts of up to `length` tokens, which some families compute differently.
    package func limited(toContext length: Int) -> ModelSource {
        var limited = self
        limited.configuration = configuration.limited(toContext: length)
        return limited
    }

    /// Bytes the weights take once loaded.
    package func weightByteCount(quantization: ElementType?, kernels: KernelTable) -> Int {
        tensors.all.reduce(0) {
            $0 + WeightLoader.heldByteCount(of: $1, quantization: quantization, kernels: kernels)
        }
    }

    /// Puts the model together and checks all its tensors, without reading the matrices' weights.
    /// - Parameters:
    ///   - quantization: what float matrices are rounded to; nil keeps them as stored.
    ///   - progress: called with the share of bytes loaded.
    package func unpacked(
        quantization: ElementType? = nil,
        compute: Compute,
        progress: @escaping (Double) -> Void = { _ in }
    ) throws -> UnpackedModel {
        let weights = try WeightLoader(
            tensors: tensors,
            quantization: quantization,
            compute: compute,
            progress: progress
        )
        return UnpackedModel(model: try family.load(configuration, weights), weights: weights)
    }

    /// Loads the model.
    package func load(quantization: ElementType? = nil, compute: Compute) throws -> any LanguageModel {
        try unpacked(quantization: quantization, compute: compute).packed()
    }
}

/// A model whose tensors are all there and of the right shape, its matrices still in the file.
///
/// Whatever else may refuse the model is asked before `packed`, which is what takes time and memory.
package struct UnpackedModel {
    private let model: any LanguageModel
    private let weights: WeightLoader

    fileprivate init(model: any LanguageModel, weights: WeightLoader) {
        self.model = model
        self.weights = weights
    }

    /// The model's sizes.
    package var shape: DecoderShape { model.shape }

    /// Reads the weights.
    /// - Throws: `ApusError` (`malformedFile`) for weights that are not finite numbers.
    package func packed() throws -> any LanguageModel {
        try weights.packWeights()
        return model
    }
}

extension ModelSource {
    /// The model's sizes as its headers state them, before anything is loaded.
    package func shape(vocabularySize: Int, quantization: ElementType?) -> DecoderShape {
        var inputs = MatrixInputs()
        for tensor in tensors.all where tensor.shape.count == 2 {
            inputs.add(type: WeightLoader.heldType(of: tensor, quantization: quantization), inputs: tensor.shape[0])
        }
        return DecoderShape(
            vocabularySize: vocabularySize,
            hiddenSize: configuration.hiddenSize,
            contextLength: configuration.contextLength,
            keyValues: configuration.keyValues,
            queryHeadCount: configuration.queryHeadCount,
            feedForwardSize: configuration.feedForwardSize,
            inputs: inputs,
            rotary: [configuration.rotary, configuration.rotary]
        )
    }
}
