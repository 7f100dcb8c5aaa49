#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A file mapped read-only into memory, kept mapped for as long as anyone holds it.
///
/// A model deleted while it is mapped stays readable: the mapping holds the inode. Bytes of a file that someone else
/// truncates while it is mapped are gone for every reader (the kernel sends SIGBUS): the store therefore never
/// truncates, it replaces, and the program turns the signal into an error (`TruncationGuard`).
///
/// Thread-safe: the mapping is immutable.
public final class MappedFile: Sendable {
    /// The path the file was opened by.
    public let path: String
    /// The file's length in bytes.
    public let byteCount: Int
    // Sound to share: the address is set once and the pages are read-only until deinit.
    private nonisolated(unsafe) let base: UnsafeRawPointer?

    /// Maps a regular file.
    /// - Throws: `ApusError` with code `notFound` or `inputOutput`, naming the path.
    public init(path: String) throws {
        // Without O_NONBLOCK opening a FIFO would wait for a writer; regular files ignore it.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            let code: ApusError.Code = errno == ENOENT ? .notFound : .inputOutput
            throw ApusError(code, "\(path): cannot open: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw ApusError(.inputOutput, "\(path): cannot stat: \(String(cString: strerror(errno)))")
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw ApusError(.inputOutput, "\(path): not a regular file")
        }
        self.path = path
        byteCount = Int(status.st_size)
        if byteCount == 0 {
            base = nil
            return
        }
        guard let address = mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0), address != MAP_FAILED else {
            throw ApusError(.inputOutput, "\(path): cannot map \(byteCount) bytes: \(String(cString: strerror(errno)))")
        }
        base = UnsafeRawPointer(address)
        TruncationGuard.add(address, byteCount: byteCount, path: path)
    }

    deinit {
        guard let base else { return }
        TruncationGuard.remove(base)
        munmap(UnsafeMutableRawPointer(mutating: base), byteCount)
    }

    /// The whole file as a slice.
    public var bytes: FileBytes { FileBytes(file: self, offset: 0, count: byteCount) }

    /// Calls `body` with the file's bytes; the pointer must not outlive the call.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try body(UnsafeRawBufferPointer(start: base, count: byteCount))
    }

    /// Tells the kernel that a range will not be read again soon, so its pages leave resident memory.
    public func release(_ range: Range<Int>) {
        advise(range, MADV_DONTNEED)
    }

    /// Tells the kernel that a range will be read soon.
    public func prefetch(_ range: Range<Int>) {
        advise(range, MADV_WILLNEED)
    }

    private func advise(_ range: Range<Int>, _ advice: Int32) {
        guard let base else { return }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        // Inner pages only for a release: a neighbour's bytes on a shared page stay resident.
        let lower = (range.clamped(to: 0..<byteCount).lowerBound + page - 1) / page * page
        let upper = range.upperBound >= byteCount ? byteCount : range.upperBound / page * page
        guard lower < upper else { return }
        madvise(UnsafeMutableRawPointer(mutating: base + lower), upper - lower, advice)
    }
}

/// A slice of a mapped file: a value that keeps the file mapped.
///
/// Every access is checked against the slice; thread-safe.
public struct FileBytes: Sendable {
    /// The file the bytes lie in.
    public let file: MappedFile
    /// Where the slice starts in the file, in bytes.
    public let offset: Int
    /// The slice's length in bytes.
    public let count: Int

    fileprivate init(file: MappedFile, offset: Int, count: Int) {
        self.file = file
        self.offset = offset
        self.count = count
    }

    /// The part of this slice at `offset`, or nil if it does not lie inside.
    public func slice(offset: Int, count: Int) -> FileBytes? {
        guard offset >= 0, count >= 0, offset <= self.count, count <= self.count - offset else { return nil }
        return FileBytes(file: file, offset: self.offset + offset, count: count)
    }

    /// Calls `body` with a span over the bytes.
    public func withSpan<Result>(_ body: (RawSpan) throws -> Result) rethrows -> Result {
        try withUnsafeBytes { try body($0.bytes) }
    }

    /// Calls `body` with the bytes; the pointer must not outlive the call.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try file.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
    }
}
