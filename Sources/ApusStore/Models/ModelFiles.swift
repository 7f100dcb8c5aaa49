import ApusCore

/// Which files make up a model: a GGUF file, its split siblings, or the known files of a safetensors folder.
enum ModelFiles {
    /// The files beside the weights that the engine reads (design of the Hugging Face hub's repositories).
    private static let companions: Set<String> = [
        "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model",
        "special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "chat_template.json",
        "model.safetensors.index.json", "vocab.json", "vocab.txt", "merges.txt",
    ]

    /// Whether a name is that of a GGUF file.
    static func isGGUF(_ name: String) -> Bool { name.lowercased().hasSuffix(".gguf") }

    /// The names of a folder that belong to a safetensors model, in order; none if it has no weights.
    static func safetensorsNames(among names: [String]) -> [String] {
        let chosen = names.filter { companions.contains($0) || $0.hasSuffix(".safetensors") }
        return chosen.contains { $0.hasSuffix(".safetensors") } ? chosen.sorted() : []
    }

    /// The names of all parts of a split GGUF file (`…-00001-of-00003.gguf`), or the name itself.
    static func parts(of name: String) -> [String] {
        guard let split = splitCount(of: name) else { return [name] }
        return (1...split.count).map { "\(split.stem)-\(padded($0))-of-\(padded(split.count)).gguf" }
    }

    /// The paths of the model at a path: one file, all parts of a split file, or a folder's known files.
    /// - Throws: `ApusError` if there is no model, saying what was expected.
    static func files(at path: String) throws -> [String] {
        switch FileSystem.kind(of: path) {
        case .file:
            let folder = FileSystem.parent(of: path).map { "\($0)/" } ?? ""
            let paths = parts(of: path.split(separator: "/").last.map(String.init) ?? path).map { folder + $0 }
            if let missing = paths.first(where: { FileSystem.kind(of: $0) != .file }) {
                throw ApusError(
                    .notFound,
                    "\(missing): expected beside the other parts of the split file, found nothing"
                )
            }
            return paths
        case .folder:
            let names = safetensorsNames(among: FileSystem.names(in: path))
            if !names.isEmpty { return names.map { "\(path)/\($0)" } }
            let models = FileSystem.names(in: path).filter(isGGUF)
            let hint = models.first.map { "; name one of its .gguf files, as in \(path)/\($0)" } ?? ""
            throw ApusError(.notFound, "\(path): expected a folder with .safetensors files, found none\(hint)")
        case .other:
            throw ApusError(
                .invalidArgument,
                "\(path): expected a .gguf file or a folder with safetensors, found a device or pipe"
            )
        case nil:
            throw ApusError(.notFound, "\(path): no such file or folder")
        }
    }

    private static func splitCount(of name: String) -> (stem: String, count: Int)? {
        // -00001-of-00003.gguf: 20 characters.
        guard isGGUF(name), name.utf8.count > 20 else { return nil }
        let tail = name.suffix(20).split(separator: "-", omittingEmptySubsequences: false)
        guard tail.count == 4, tail[2] == "of", tail[1].utf8.count == 5, tail[3].utf8.count == 10,
            let index = Int(tail[1]), let count = Int(tail[3].prefix(5)), index >= 1, index <= count
        else { return nil }
        return (String(name.dropLast(20)), count)
    }

    private static func padded(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
}
