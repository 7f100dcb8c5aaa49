import ApusCore
package import ApusFormats

/// Tensors by their GGUF name, whatever the file calls them.
package protocol TensorSource {
    /// The file or folder, for messages.
    var path: String { get }
    /// Every tensor.
    var all: [TensorInfo] { get }
    /// What the file calls a tensor.
    func nameInFile(_ name: String) -> String
    /// The tensor with a GGUF name; nil if there is none.
    func tensor(named name: String) -> TensorInfo?
}

extension GGUFFile: TensorSource {
    package var path: String { paths.first ?? "" }
    package var all: [TensorInfo] { tensors }
    package func nameInFile(_ name: String) -> String { name }
}

/// Safetensors under a family's names.
package struct HuggingFaceTensors: TensorSource {
    private let model: SafetensorsModel
    private let names: TensorNames
    package let path: String

    package init(_ model: SafetensorsModel, names: TensorNames, path: String) {
        self.model = model
        self.names = names
        self.path = path
    }

    package var all: [TensorInfo] { model.tensors }
    package func nameInFile(_ name: String) -> String { names.huggingFaceName(of: name) }
    package func tensor(named name: String) -> TensorInfo? { model.tensor(named: nameInFile(name)) }
}
