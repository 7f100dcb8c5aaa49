import ApusCore
import SystemPackage

/// A file on its way into the store: written in order, hashed as it grows, kept for a later pull to continue.
///
/// Not thread-safe: one pull writes it, under the lock of its name.
final class PartialFile {
    /// Where the bytes so far lie.
    let path: String
    /// The bytes so far.
    private(set) var byteCount = 0
    private var hash = ContentHash()
    private let descriptor: FileDescriptor
    private var isOpen = true

    /// Opens the partial file and takes in what an earlier pull left, or starts from nothing.
    init(path: String, continuing: Bool) throws {
        self.path = path
        var options: FileDescriptor.OpenOptions = [.create, .closeOnExec]
        if !continuing { options.insert(.truncate) }
        descriptor = try FileSystem.describing("cannot create", path) {
            try FileDescriptor.open(
                path,
                .readWrite,
                options: options,
                permissions: [.ownerReadWrite, .groupRead, .otherRead]
            )
        }
        guard continuing else { return }
        try FileSystem.read(path) { chunk in
            hash.update(chunk)
            byteCount += chunk.count
        }
        try FileSystem.describing("cannot seek", path) { _ = try descriptor.seek(offset: 0, from: .end) }
    }

    deinit {
        if isOpen { try? descriptor.close() }
    }

    /// Appends bytes.
    /// - Throws: `ApusError` if the disk is full or the write fails; what was written before stays.
    func append(_ bytes: [UInt8]) throws {
        do {
            try FileSystem.describing("cannot write", path) { _ = try descriptor.writeAll(bytes) }
        } catch {
            // Cut a half-written chunk off, so that the file and its hash agree.
            try? descriptor.resize(to: Int64(byteCount))
            throw error
        }
        hash.update(bytes)
        byteCount += bytes.count
    }

    /// Throws away the bytes so far.
    func restart() throws {
        try FileSystem.describing("cannot write", path) {
            try descriptor.resize(to: 0)
            _ = try descriptor.seek(offset: 0, from: .start)
        }
        hash = ContentHash()
        byteCount = 0
    }

    /// Ends writing: the bytes are on the disk, and their hash is known.
    func finish() throws -> String {
        try FileSystem.synchronize(descriptor, path: path)
        try FileSystem.describing("cannot close", path) { try descriptor.close() }
        isOpen = false
        return hash.hexDigits
    }
}
