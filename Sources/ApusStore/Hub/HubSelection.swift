import ApusCore

/// Which files of a hub repository a reference means.
enum HubSelection {
    /// The paths to pull, in order.
    ///
    /// A file named in full wins; then a quantization's name (`Q4_K_M`) among the GGUF files; without either, the
    /// repository's safetensors or its only GGUF model.
    /// - Throws: `ApusError` listing the choices if there is none or more than one.
    static func paths(for reference: HubReference, among paths: [String]) throws -> [String] {
        let models = paths.filter(ModelFiles.isGGUF).filter(isFirstPart).sorted()
        guard let file = reference.file else {
            let safetensors = ModelFiles.safetensorsNames(among: paths)
            if !safetensors.isEmpty { return safetensors }
            guard let only = models.first, models.count == 1 else { throw choice(reference, models) }
            return try parts(of: only, among: paths, reference)
        }
        if paths.contains(file), ModelFiles.isGGUF(file) { return try parts(of: file, among: paths, reference) }
        let chosen = models.filter { quantization(of: $0, is: file) }
        guard let only = chosen.first, chosen.count == 1 else { throw choice(reference, models) }
        return try parts(of: only, among: paths, reference)
    }

    /// Whether a file's name ends in a quantization's, set off by a dash, dot or underscore, before the part numbers.
    private static func quantization(of path: String, is name: String) -> Bool {
        let first = ModelFiles.parts(of: path).first ?? path
        let stem =
            (first.hasSuffix("-00001-of-\(first.suffix(10))") ? String(first.dropLast(20)) : String(path.dropLast(5)))
            .lowercased()
        let wanted = name.lowercased()
        return stem == wanted || ["-", ".", "_", "/"].contains { stem.hasSuffix($0 + wanted) }
    }

    private static func isFirstPart(_ path: String) -> Bool {
        ModelFiles.parts(of: path).first == path
    }

    private static func parts(of path: String, among paths: [String], _ reference: HubReference) throws -> [String] {
        let parts = ModelFiles.parts(of: path)
        if let missing = parts.first(where: { !paths.contains($0) }) {
            throw ApusError(
                .notFound,
                "\(reference): expected \(missing) beside the other parts of the split file, found nothing"
            )
        }
        return parts
    }

    private static func choice(_ reference: HubReference, _ models: [String]) -> ApusError {
        var open = reference
        open.file = nil
        guard !models.isEmpty else {
            return ApusError(.notFound, "\(open): expected .gguf or .safetensors files, found none")
        }
        let listed = models.prefix(12).joined(separator: ", ") + (models.count > 12 ? " …" : "")
        let wanted =
            reference.file.map { "no single file is meant by '\($0)'" } ?? "the repository has \(models.count) models"
        return ApusError(.notFound, "\(open): \(wanted); choose one as \(open):FILE from: \(listed)")
    }
}
