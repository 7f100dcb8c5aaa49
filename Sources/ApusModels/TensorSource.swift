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
