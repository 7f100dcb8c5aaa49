/// A model on this machine: what the engine opens.
package struct ResolvedModel: Sendable, Equatable {
    /// The store's name, or the path as it was typed.
    package var name: String
    /// The `.gguf` file (the first part of a split one) or the folder with safetensors.
    package var path: String
    /// All files of the model.
    package var files: [String]
    /// The length of all files together.
    package var byteCount: Int { files.reduce(0) { $0 + (FileSystem.byteCount(of: $1) ?? 0) } }
    /// The licence's name as the source states it; nil for files outside the store.
    package var licence: String?
}
