import ApusCore
public import ApusFormats

extension Tokenizer {
    /// Reads the tokenizer of a GGUF file ("GGUF file format", section "Tokenizer"); a file without tensors will do.
    /// - Parameters:
    ///   - gguf: the file.
    ///   - endOfGeneration: further ids that end a generation, such as those of `generation_config.json`.
    /// - Throws: `ApusError` naming file, field, expected and found value: `malformedFile` for contradictory metadata,
    ///   `unsupported` for a kind of tokenizer Apus does not know, `notFound` where there is none.
    public convenience init(_ gguf: GGUFFile, endOfGeneration: [Int32] = []) throws {
        try self.init(gguf.metadata, endOfGeneration: endOfGeneration)
    }

    /// Reads the tokenizer that a GGUF file's metadata describe; see `init(_:endOfGeneration:)`.
    public convenience init(_ metadata: GGUFMetadata, endOfGeneration: [Int32] = []) throws {
        do {
            self.init(try GGUFTokenizerReader(metadata).parts(endOfGeneration: endOfGeneration))
        } catch let error as ApusError where !error.message.hasPrefix(metadata.path) {
            throw ApusError(error.code, "\(metadata.path): \(error.message)", cause: error.cause)
        }
    }
}
