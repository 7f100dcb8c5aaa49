import Apus
import ApusCore
import ApusStore
import ArgumentParser

/// `apus tokenize`: text to token ids and back.
struct TokenizeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize",
        abstract: "Turn standard input into token ids, or ids into text.",
        discussion: """
            Reads the exact bytes of standard input; works on vocabulary-only GGUF files too.

            Examples:
              printf 'Hello world' | apus tokenize smollm2
              printf 'Hello world' | apus tokenize ./vocabulary.gguf --json --no-bos
              printf '19556 905' | apus tokenize smollm2 --decode
            """
    )

    @OptionGroup var target: ModelArgument
    /// Hidden: text that somebody types behind the model, to tell where it belongs.
    @Argument(help: .hidden)
    var text: [String] = []
    @Flag(help: "Print a JSON array of ids.")
    var json = false
    @Flag(help: "Add no BOS, EOS or CLS.")
    var noBos = false
    @Flag(help: "Special tokens' text is plain text.")
    var noSpecial = false
    @Flag(help: "Standard input holds ids, apart by anything but digits; print their text.")
    var decode = false

    func validate() throws {
        guard text.isEmpty else {
            throw ValidationError("the text comes on standard input: printf %s 'Hello' | apus tokenize \(target.model)")
        }
    }

    func run() async throws {
        let path = try await target.resolve().path
        let tokenizer = try ModelFile(path: path).tokenizer()
        if Terminal.isInputTerminal { Terminal.note("Type the text; Control-D ends it.\n") }
        let input = try Terminal.readInputBytes()
        if decode {
            Terminal.write(bytes: tokenizer.decode(try ids(in: input, of: tokenizer), skipSpecial: false))
            return
        }
        let ids = tokenizer.encode(input, parseSpecial: !noSpecial, addSpecial: !noBos)
        if json {
            Terminal.write("[" + ids.map(String.init).joined(separator: ", ") + "]\n")
        } else {
            Terminal.write(ids.map { "\($0)\n" }.joined())
        }
    }

    private func ids(in bytes: [UInt8], of tokenizer: Tokenizer) throws -> [Int32] {
        let separators = Set(" \t\r\n,[];".utf8)
        return try bytes.split(whereSeparator: separators.contains).map { word in
            let text = String(decoding: word, as: UTF8.self)
            guard let id = Int32(text), (0..<Int32(tokenizer.vocabularySize)).contains(id) else {
                throw ApusError(
                    .invalidArgument,
                    "token id: expected 0 to \(tokenizer.vocabularySize - 1), found \"\(text.prefix(40))\""
                )
            }
            return id
        }
    }
}
