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
    ///   - rowCount: how many rows the model's embedding has. Added tokens beyond are left out: Gemma 3's text models have
    ///     their siblings' token for images.
    /// - Throws: `ApusError` naming file, field, expected and found value: `malformedFile` for contradictory content,
    ///   `unsupported` for a component Apus does not know, `notFound` for a missing field.
    public convenience init(
        json: FileBytes,
        config: FileBytes? = nil,
        endOfGeneration: [Int32] = [],
        rowCount: Int = .max
    ) throws {
        let path = json.file.path
        self.init(
            try Self.parts(path, endOfGeneration, rowCount: rowCount) {
                (try JSONValue(parsing: json), try config.map { try JSONValue(parsing: $0) })
            }
        )
    }

    /// Reads `tokenizer.json` and `tokenizer_config.json` from memory; see `init(json:config:endOfGeneration:)`.
    package convenience init(json: [UInt8], config: [UInt8]? = nil, endOfGeneration: [Int32] = []) throws {
        let path = "tokenizer.json"
        self.init(
            try Self.parts(path, endOfGeneration) {
                let config = try config.map { try JSONValue(parsing: $0, name: "tokenizer_config.json") }
                return (try JSONValue(parsing: json, name: path), config)
            }
        )
    }

    /// Reads everything, and names the file in errors that don't.
    private static func parts(
        _ path: String,
        _ endOfGeneration: [Int32],
        rowCount: Int = .max,
        parse: () throws -> (root: JSONValue, config: JSONValue?)
    ) throws -> TokenizerParts {
        do {
            let (root, config) = try parse()
            let reader = try JSONTokenizerReader(path: path, root: root, config: config, rowCount: rowCount)
            return try reader.parts(endOfGeneration: endOfGeneration)
        } catch let error as ApusError where !error.message.contains(".json") {
            throw ApusError(error.code, "\(path): \(error.message)", cause: error.cause)
        }
    }
}
