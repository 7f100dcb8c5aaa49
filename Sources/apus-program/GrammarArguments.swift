import ApusCore
import ApusGrammar
import ArgumentParser

/// What an answer must look like, as `run` and `chat` take it.
struct GrammarArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Keeps answers to the JSON Schema in this file.", valueName: "file"))
    var jsonSchema: String?

    @Option(help: ArgumentHelp("Keeps answers to the GBNF grammar in this file.", valueName: "file"))
    var grammar: String?

    func validate() throws {
        if jsonSchema != nil, grammar != nil {
            throw ValidationError("--grammar: expected either --json-schema or --grammar, found both")
        }
    }

    /// The grammar; nil if none was asked for.
    /// - Throws: `ApusError` naming the file.
    func load() throws -> Grammar? {
        if let jsonSchema { return try Self.load(jsonSchema) { try Grammar(jsonSchema: $0) } }
        return try grammar.map { try Self.load($0) { try Grammar(gbnf: $0) } }
    }

    private static func load(_ path: String, _ compile: (String) throws -> Grammar) throws -> Grammar {
        let file = try MappedFile(path: path)
        let limit = GrammarLimits().textByteCount
        guard file.byteCount <= limit else {
            throw ApusError(.unsupported, "\(path): expected at most \(limit) bytes, found \(file.byteCount)")
        }
        guard let text = String(validating: file.withUnsafeBytes { Array($0) }, as: UTF8.self) else {
            throw ApusError(.malformedFile, "\(path): expected UTF-8 text; convert it, for example with iconv")
        }
        do {
            return try compile(text)
        } catch let error as ApusError {
            throw ApusError(error.code, "\(path): \(error.message)")
        }
    }
}
