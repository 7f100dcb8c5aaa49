import ApusCore

/// A model file, split file or safetensors folder on this machine, copied into the store.
///
/// Copied, not linked: the user may go on to write into the original, and the store's content must match its hash.
struct FileSource: ModelSource {
    /// The `.gguf` file or the folder.
    let path: String

    var description: String { "file:\(FileSystem.realPath(path) ?? path)" }
    var canResume: Bool { false }

    func listing() throws -> SourceListing {
        SourceListing(
            files: try ModelFiles.files(at: path).map { SourceFile(path: $0, byteCount: FileSystem.byteCount(of: $0)) }
        )
    }

    func fetch(_ file: SourceFile, into partial: PartialFile, report: @escaping @Sendable (_ received: Int) -> Void)
        throws
    {
        try FileSystem.read(file.path) { chunk in
            try Task.checkCancellation()
            try partial.append(chunk)
            report(partial.byteCount)
        }
    }
}
