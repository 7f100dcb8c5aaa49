#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A folder held open, whose files are reached by their bare names and never through a link.
///
/// What it creates is for the owner only. Thread-safe.
package final class PrivateFolder: Sendable {
    /// The path it was opened by, for messages.
    package let path: String
    private let descriptor: Int32

    /// Opens a folder; it and those above it are created where they are missing.
    /// - Throws: `ApusError` (`inputOutput`) naming the path and the remedy.
    package init(path: String) throws {
        self.path = path
        Self.create(path)
        descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure("cannot use the folder", path) }
    }

    /// Opens a folder in a folder, created if it is missing and `creates` says so.
    /// - Throws: `ApusError` (`inputOutput`), for a link too.
    package init(_ name: String, in parent: PrivateFolder, creates: Bool) throws {
        path = "\(parent.path)/\(name)"
        if creates { mkdirat(parent.descriptor, name, 0o700) }
        descriptor = openat(parent.descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.failure("cannot use the folder", path) }
    }

    deinit { close(descriptor) }

    /// The names of what is in the folder, in no order.
    package var names: [String] {
        // A descriptor of its own, since reading moves the position.
        let own = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard own >= 0, let stream = fdopendir(own) else {
            if own >= 0 { close(own) }
            return []
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            // Sound because the system ends the name with a zero within the entry.
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: $0.pointee)) {
                    String(validatingCString: $0)
                }
            }
            if let name, name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Size and time of last use of a regular file; nil for anything else.
    package func status(of name: String) -> (byteCount: Int, used: Instant)? {
        var status = stat()
        guard fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        #if canImport(Darwin)
        return (Int(status.st_size), Instant(status.st_mtimespec))
        #else
        return (Int(status.st_size), Instant(status.st_mtim))
        #endif
    }

    /// Sets a file's time of last use.
    /// - Returns: whether the file is there.
    @discardableResult package func touch(_ name: String, _ used: Instant) -> Bool {
        let times = [used.timespec, used.timespec]
        return utimensat(descriptor, name, times, AT_SYMLINK_NOFOLLOW) == 0
    }

    /// Removes a file or a link; a missing one is no error.
    package func remove(_ name: String) { unlinkat(descriptor, name, 0) }

    /// Opens a regular file of exactly `byteCount` bytes.
    /// - Throws: `FileMismatch` if it is anything else, `ApusError` if there is none or it cannot be read.
    package func opened(_ name: String, byteCount: Int) throws -> OpenFile {
        // Without O_NONBLOCK opening a FIFO would wait for a writer; regular files ignore it.
        let file = openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ELOOP { throw FileMismatch() }
            throw Self.failure("cannot open", "\(path)/\(name)")
        }
        let opened = OpenFile(descriptor: file)
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, Int(status.st_size) == byteCount else {
            throw FileMismatch()
        }
        return opened
    }

    /// Writes a file in one step: readers see all of it or none. It is not forced to the disk.
    /// - Parameter body: writes the content.
    /// - Throws: `ApusError` (`inputOutput`); nothing is left behind.
    package func write(_ name: String, _ body: (borrowing OpenFile) throws -> Void) throws {
        let temporary = "\(String(UInt64.random(in: .min ... .max), radix: 16))\(Self.temporaryEnding)"
        let file = openat(descriptor, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Self.failure("cannot write", "\(path)/\(name)") }
        do {
            try body(OpenFile(descriptor: file))
            guard renameat(descriptor, temporary, descriptor, name) == 0 else {
                throw Self.failure("cannot write", "\(path)/\(name)")
            }
        } catch {
            remove(temporary)
            throw error
        }
    }

    /// How the names of files that are being written end.
    package static let temporaryEnding = ".tmp"

    private static func create(_ path: String) {
        for (index, character) in zip(path.indices, path).dropFirst() where character == "/" {
            mkdir(String(path[..<index]), 0o700)
        }
        mkdir(path, 0o700)
    }

    fileprivate static func failure(_ failed: String, _ path: String) -> ApusError {
        let number = errno
        let remedy =
            switch number {
            case ENOSPC, EDQUOT: ": free some space or choose another folder"
            case EACCES, EPERM, EROFS: ": give its owner the right to read and write it, or choose another folder"
            default: ""
            }
        let code: ApusError.Code = number == ENOENT ? .notFound : .inputOutput
        return ApusError(code, "\(path): \(failed): \(String(cString: strerror(number)))\(remedy)")
    }

    /// A time of last use.
    package struct Instant: Comparable, Sendable {
        private let nanoseconds: Int

        /// Now.
        package static var now: Instant {
            var time = Glibc_timespec()
            clock_gettime(CLOCK_REALTIME, &time)
            return Instant(time)
        }

        fileprivate init(_ time: Glibc_timespec) { nanoseconds = time.tv_sec &* 1_000_000_000 &+ time.tv_nsec }
        private init(nanoseconds: Int) { self.nanoseconds = nanoseconds }

        fileprivate var timespec: Glibc_timespec {
            Glibc_timespec(tv_sec: nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000)
        }

        /// So many microseconds earlier.
        package func earlier(microseconds: Int) -> Instant { Instant(nanoseconds: nanoseconds - microseconds * 1000) }

        package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }
    }
}

/// The system's time, which `Instant.timespec` would hide.
private typealias Glibc_timespec = timespec

/// A file is not what it would have to be: of another kind, another size, or shorter than it said.
package struct FileMismatch: Error {
    package init() {}
}

/// A file that is being read or written from its start, closed with its last use.
package struct OpenFile: ~Copyable {
    fileprivate let descriptor: Int32

    deinit { close(descriptor) }

    /// Fills a span with the next bytes.
    /// - Throws: `FileMismatch` if there are not as many, `ApusError` if they cannot be read.
    package func read(into span: inout MutableRawSpan) throws {
        // Sound because the pointer stays within the call.
        try span.withUnsafeMutableBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = Self.retrying {
                    systemRead(descriptor, UnsafeMutableRawBufferPointer(rebasing: rest))
                }
                guard count >= 0 else { throw PrivateFolder.failure("cannot read", "a file") }
                guard count > 0 else { throw FileMismatch() }
                rest = rest.dropFirst(count)
            }
        }
    }

    /// Writes bytes after those written before.
    /// - Throws: `ApusError`.
    package func write(_ span: RawSpan) throws {
        // Sound because the pointer stays within the call.
        try span.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = Self.retrying { systemWrite(descriptor, UnsafeRawBufferPointer(rebasing: rest)) }
                guard count > 0 else { throw PrivateFolder.failure("cannot write", "a file") }
                rest = rest.dropFirst(count)
            }
        }
    }

    private static func retrying(_ call: () -> Int) -> Int {
        while true {
            let count = call()
            if count >= 0 || errno != EINTR { return count }
        }
    }
}

private func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    read(descriptor, buffer.baseAddress, buffer.count)
}

private func systemWrite(_ descriptor: Int32, _ buffer: UnsafeRawBufferPointer) -> Int {
    write(descriptor, buffer.baseAddress, buffer.count)
}
