import ApusCore
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// An exclusive lock held through an open file, so that it ends with its process whatever happens to it.
///
/// The lock file itself stays: removing it would let two processes lock two files of the same name.
struct FileLock: ~Copyable {
    private let descriptor: FileDescriptor

    /// Takes the lock, waiting for as long as another process holds it.
    /// - Parameters:
    ///   - path: the lock file, created if missing.
    ///   - onWait: called once if the lock is held by somebody else.
    /// - Throws: `ApusError` if the file cannot be opened, `CancellationError` if the task is cancelled.
    static func acquire(_ path: String, onWait: () -> Void = {}) async throws -> FileLock {
        let descriptor = try FileSystem.describing("cannot open the lock", path) {
            try FileDescriptor.open(path, .readWrite, options: [.create, .closeOnExec], permissions: [.ownerReadWrite])
        }
        let lock = FileLock(descriptor: descriptor)
        var waited = false
        // Polled: a blocking flock would hold a thread of the cooperative pool and could not be cancelled.
        while flock(descriptor.rawValue, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                throw ApusError(.inputOutput, "\(path): cannot lock: \(Errno(rawValue: errno))")
            }
            if !waited { onWait() }
            waited = true
            try await Task.sleep(for: .milliseconds(100))
        }
        return lock
    }

    private init(descriptor: FileDescriptor) { self.descriptor = descriptor }

    deinit { try? descriptor.close() }
}
