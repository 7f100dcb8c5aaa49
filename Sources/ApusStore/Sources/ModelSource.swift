/// A file that a source offers.
struct SourceFile: Sendable, Equatable {
    /// The path by which the source knows the file.
    var path: String
    /// The content's SHA-256 hash; nil if the source does not state it.
    var sha256: String?
    /// The file's length; nil if the source does not state it.
    var byteCount: Int?
    /// Where the file already lies on this machine, to be adopted without a copy.
    var localPath: String?

    /// The file's name without folders.
    var name: String { path.split(separator: "/").last.map(String.init) ?? path }
}

/// What a source offers for a model.
struct SourceListing: Sendable, Equatable {
    /// The files the engine needs, in order.
    var files: [SourceFile]
    /// The licence's name as stated by the source.
    var licence: String?
}

/// A place that models come from.
protocol ModelSource: Sendable {
    /// The place in one word and address, as written into the manifest.
    var description: String { get }
    /// Whether an interrupted fetch can go on with the partial file that it left.
    var canResume: Bool { get }
    /// The bytes on disk that a fetch takes for a while, besides the file itself.
    var scratchByteCount: Int { get }
    /// What the source has for the model.
    func listing() async throws -> SourceListing
    /// Writes a file's content, or what is missing of it, and reports the bytes received so far.
    func fetch(_ file: SourceFile, into partial: PartialFile, report: @escaping @Sendable (_ received: Int) -> Void)
        async throws
}

extension ModelSource {
    var scratchByteCount: Int { 0 }
}
