import ApusCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A file that comes into being under another name, `TARGET.part`, and takes its own only when it is whole.
///
/// What an interrupted run leaves stays for the next one. Held by one process at a time. Not thread-safe.
package final class PartFile {
    /// Where the bytes are until `finish`.
    package let path: String
    /// Bytes that are there.
    package private(set) var byteCount = 0
    private let target: String
    private let descriptor: Int32

    /// Opens the part file of a path, or creates it.
    /// - Throws: `ApusError` (`inputOutput`) if it cannot be written, or another process is at it.
    package init(target: String) throws {
        self.target = target
        path = "\(target).part"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw Self.failure("cannot write", path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            close(descriptor)
            errno = code
            throw code == EWOULDBLOCK
                ? ApusError(.inputOutput, "\(path): another process is writing it; wait for that one")
                : Self.failure("cannot lock", path)
        }
    }

    deinit { close(descriptor) }

    /// Makes sure that the file begins with `start`: if it does not, it is begun anew.
    /// - Returns: bytes that are there then.
    func resume(after start: [UInt8]) throws -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.failure("cannot read", path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ApusError(.inputOutput, "\(path): expected a regular file, found something else: remove it")
        }
        var present = [UInt8](repeating: 0, count: start.count)
        let count = present.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
        byteCount = Int(status.st_size)
        if count == start.count, present == start { return byteCount }
        try truncate(to: 0)
        try append(start)
        return byteCount
    }

    /// Cuts off what is behind an offset.
    func truncate(to count: Int) throws {
        guard ftruncate(descriptor, off_t(count)) == 0 else { throw Self.failure("cannot write", path) }
        byteCount = count
    }

    /// Adds bytes at the end.
    func append(_ bytes: [UInt8]) throws {
        try write(bytes, at: byteCount)
        byteCount += bytes.count
    }

    /// Reads bytes that are there.
    func bytes(at offset: Int, count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let read = bytes.withUnsafeMutableBytes {
                pread(descriptor, $0.baseAddress.map { $0 + done }, count - done, off_t(offset + done))
            }
            if read < 0, errno == EINTR { continue }
            guard read > 0 else { throw Self.failure("cannot read", path) }
            done += read
        }
        return bytes
    }

    /// Writes over the beginning.
    func replaceStart(with bytes: [UInt8]) throws { try write(bytes, at: 0) }

    /// Returns when the bytes are on the disk.
    func synchronize() throws {
        guard fsync(descriptor) == 0 else { throw Self.failure("cannot write", path) }
    }

    /// Makes these bytes the whole file and gives it its name.
    package func finish(with bytes: [UInt8]) throws {
        try truncate(to: 0)
        try append(bytes)
        try finish()
    }

    /// Removes what is there, for a run that leaves nothing to go on with.
    package func discard() { unlink(path) }

    /// Gives the file its name, in one step.
    package func finish() throws {
        try synchronize()
        guard rename(path, target) == 0 else { throw Self.failure("cannot name it \(target)", path) }
    }

    private func write(_ bytes: [UInt8], at offset: Int) throws {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress.map { $0 + written }, bytes.count - written, off_t(offset + written))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("cannot write", path) }
            written += count
        }
    }

    private static func failure(_ what: String, _ path: String) -> ApusError {
        let code = errno
        let remedy =
            code == ENOSPC || code == EDQUOT ? "; make room and run the same command again, it goes on there" : ""
        return ApusError(.inputOutput, "\(path): \(what): \(String(cString: strerror(code)))\(remedy)")
    }
}
