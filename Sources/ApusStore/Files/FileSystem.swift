import ApusCore
import SystemPackage

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The file operations of the store, with failures told in one line that names the path.
package enum FileSystem {
    /// What a path leads to.
    enum Kind {
        case file
        case folder
        case other
    }

    /// What the path leads to, links followed; nil if nothing is there.
    static func kind(of path: String) -> Kind? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .folder
        default: return .other
        }
    }

    /// The length of the file the path leads to; nil if there is no regular file.
    static func byteCount(of path: String) -> Int? {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(status.st_size)
    }

    /// The bytes that a user may still write to the disk a folder lies on; nil if the system does not say.
    static func freeByteCount(at folder: String) -> Int? {
        var status = statvfs()
        guard statvfs(folder, &status) == 0 else { return nil }
        let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? nil : Int(exactly: bytes)
    }

    /// Creates a folder and those above it, where they are missing.
    static func createFolder(_ path: String) throws {
        if mkdir(path, 0o755) == 0 || kind(of: path) == .folder { return }
        guard errno == ENOENT, let parent = parent(of: path) else { throw failure("cannot create the folder", path) }
        try createFolder(parent)
        guard mkdir(path, 0o755) == 0 || kind(of: path) == .folder else {
            throw failure("cannot create the folder", path)
        }
    }

    /// The names in a folder, sorted; none if it cannot be read.
    static func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }

    /// Moves a file or link over another in one step: readers see the old or the new one, never a part.
    static func replace(_ path: String, with source: String) throws {
        guard rename(source, path) == 0 else { throw failure("cannot move \(source) to", path) }
    }

    /// Removes a file, a link, or a folder with all in it; a missing path is no error.
    package static func remove(_ path: String) throws {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR {
            do {
                try FileManager.default.removeItem(atPath: path)
            } catch {
                throw ApusError(.inputOutput, "\(path): cannot remove the folder", cause: error)
            }
        } else if unlink(path) != 0 && errno != ENOENT {
            throw failure("cannot remove", path)
        }
    }

    /// Gives the file at `source` a second name; false if the two lie on different disks or the owner forbids it.
    static func hardLink(_ source: String, to path: String) -> Bool {
        link(source, path) == 0
    }

    /// Creates a symbolic link that leads to `target`.
    static func symbolicLink(_ path: String, to target: String) throws {
        guard symlink(target, path) == 0 else { throw failure("cannot create the link", path) }
    }

    /// Where a symbolic link leads; nil for anything else.
    static func linkTarget(_ path: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: path)
    }

    /// Makes a file read-only, so that nobody writes into the store by mistake.
    static func protect(_ path: String) throws {
        guard chmod(path, 0o444) == 0 else { throw failure("cannot make read-only", path) }
    }

    /// The absolute path with links and `..` resolved; nil if nothing is there.
    package static func realPath(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// A whole small file.
    /// - Throws: `ApusError` if it is missing, unreadable or longer than `limit` bytes.
    static func read(_ path: String, limit: Int) throws -> [UInt8] {
        var content: [UInt8] = []
        try read(path) { chunk in
            guard content.count + chunk.count <= limit else {
                throw ApusError(.malformedFile, "\(path): expected at most \(limit) bytes, found more")
            }
            content += chunk
        }
        return content
    }

    /// Reads a file from its start in chunks of up to a megabyte.
    static func read(_ path: String, each body: ([UInt8]) throws -> Void) throws {
        try describing("cannot read", path) {
            let descriptor = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
            try descriptor.closeAfter {
                var chunk = [UInt8](repeating: 0, count: 1 << 20)
                while true {
                    let count = try chunk.withUnsafeMutableBytes { try descriptor.read(into: $0) }
                    if count == 0 { return }
                    try body(count == chunk.count ? chunk : Array(chunk[..<count]))
                }
            }
        }
    }

    /// Writes a small file in one step: complete and on the disk, or not at all.
    static func write(_ content: [UInt8], to path: String) throws {
        let temporary = "\(path).\(getpid()).tmp"
        do {
            try describing("cannot write", temporary) {
                let descriptor = try FileDescriptor.open(
                    temporary,
                    .writeOnly,
                    options: [.create, .truncate, .closeOnExec],
                    permissions: [.ownerReadWrite, .groupRead, .otherRead]
                )
                try descriptor.closeAfter {
                    _ = try descriptor.writeAll(content)
                    try synchronize(descriptor, path: temporary)
                }
            }
            try replace(path, with: temporary)
        } catch {
            try? remove(temporary)
            throw error
        }
    }

    /// Waits until a file's content is on the disk.
    static func synchronize(_ descriptor: FileDescriptor, path: String) throws {
        guard fsync(descriptor.rawValue) == 0 else { throw failure("cannot write", path) }
    }

    /// Runs file work and turns the system's error into one line that names the path.
    static func describing<Result>(_ failed: String, _ path: String, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as Errno {
            throw failure(failed, path, error)
        }
    }

    /// The folder a path lies in; nil for the root and for a bare name.
    static func parent(of path: String) -> String? {
        let parent = FilePath(path).removingLastComponent()
        return parent.isEmpty || parent == FilePath(path) ? nil : parent.string
    }

    private static func failure(_ failed: String, _ path: String) -> ApusError {
        failure(failed, path, Errno(rawValue: errno))
    }

    private static func failure(_ failed: String, _ path: String, _ error: Errno) -> ApusError {
        if error == .noSpace || error.rawValue == EDQUOT {
            return ApusError(.inputOutput, "\(path): the disk is full: free some space and try again")
        }
        let code: ApusError.Code = error == .noSuchFileOrDirectory ? .notFound : .inputOutput
        return ApusError(code, "\(path): \(failed): \(error)")
    }
}
