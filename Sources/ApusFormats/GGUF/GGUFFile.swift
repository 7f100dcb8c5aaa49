package import ApusCore

/// A GGUF model: metadata and tensors of one file, or of all parts of a split one.
///
/// Opening maps the files and checks every header ("GGUF file format", versions 2 and 3, little-endian); no tensor
/// data is read. Memory grows with the number of fields and tensors present, never with counts a file merely claims.
/// Thread-safe.
public struct GGUFFile: Sendable {
    /// The files, in part order.
    public let paths: [String]
    /// The version of the format, 2 or 3.
    public let version: Int
    /// The metadata; that of the first part where the model is split.
    public let metadata: GGUFMetadata
    /// The tensors, in file order, part by part.
    public let tensors: [TensorInfo]
    private let index: TensorIndex

    /// Opens a file; for the first part of a split model (`…-00001-of-0000N.gguf`), all parts beside it.
    /// - Throws: `ApusError` naming file, field, expected and found value: `malformedFile` for a broken file,
    ///   `unsupported` for versions and tensor types Apus does not know, `notFound` for a missing file or part.
    public init(path: String) throws {
        let first = try GGUFPart(path: path)
        let split = try GGUFSplit(of: first.metadata, path: path)
        var parts = [first]
        for partPath in split.paths.dropFirst() {
            let part = try GGUFPart(path: partPath)
            try split.check(part.metadata, index: parts.count, path: partPath)
            parts.append(part)
        }
        paths = split.paths
        version = first.version
        metadata = first.metadata
        tensors = parts.flatMap(\.tensors)
        index = try TensorIndex(tensors)
        try split.check(tensorCount: tensors.count, path: path)
    }

    /// The mapped files, in part order.
    package var files: [MappedFile] { (metadata.prefix(1).map(\.payload) + tensors.map(\.bytes)).files }

    /// The tensor with a name; nil if there is none.
    public func tensor(named name: String) -> TensorInfo? { index[name].map { tensors[$0] } }
}
