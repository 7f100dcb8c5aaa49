public import ApusCore
import ApusFormats

extension Tokenizer {
    /// Reads the tokenizer of a Hugging Face folder.
    ///
    /// Normalizers, pre-tokenizers, post-processors and decoders are recognised by their structure; one that Apus does
    /// not know is an error that names it, never ignored.
    /// - Parameters:
    ///   - json: `tokenizer.json`.
    ///   - config: `tokenizer_config.json`, which names BOS and EOS.
    ///   - endOfGeneration: further ids that end a generation, such as those of `generation_config.json`.
    /// - Throws: `ApusError` naming file, field, expected and found value: `malformedFile` for contradictory content,
    ///   `unsupported` for a component Apus does not know, `notFound` for a missing field.
    public convenience init(json: FileBytes, config: FileBytes? = nil, endOfGeneration: [Int32] = []) throws {
        let path = json.file.path
        do {
            let reader = try JSONTokenizerReader(
                path: path,
                root: try JSONValue(parsing: json),
                config: try config.map { try JSONValue(parsing: $0) }
            )
            self.init(try reader.parts(endOfGeneration: endOfGeneration))
        } catch let error as ApusError where !error.message.contains(".json") {
            throw ApusError(error.code, "\(path): \(error.message)", cause: error.cause)
        }
    }

    /// Reads `tokenizer.json` and `tokenizer_config.json` from memory; see `init(json:config:endOfGeneration:)`.
    package convenience init(json: [UInt8], config: [UInt8]? = nil, endOfGeneration: [Int32] = []) throws {
        let reader = try JSONTokenizerReader(
            path: "tokenizer.json",
            root: try JSONValue(parsing: json, name: "tokenizer.json"),
            config: try config.map { try JSONValue(parsing: $0, name: "tokenizer_config.json") }
        )
        self.init(try reader.parts(endOfGeneration: endOfGeneration))
    }
}
