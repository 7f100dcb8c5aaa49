import ApusCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A file of logits: rows of little-endian 32-bit floats, nothing else.
final class LogitsFile {
    private let path: String
    private let file: UnsafeMutablePointer<FILE>
    private var isComplete = true

    /// Creates the file anew.
    /// - Throws: `ApusError` (`inputOutput`) naming the path.
    init(path: String) throws {
        self.path = path
        guard let file = fopen(path, "w") else { throw Self.failure(path) }
        self.file = file
    }

    /// Adds a row; what fails is reported by `close`.
    func append(_ row: Span<Float>) {
        // Sound because the pointer is used only inside the closure.
        let written = row.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) }
        isComplete = isComplete && written == row.count * MemoryLayout<Float>.stride
    }

    /// Ends the file, once.
    /// - Throws: `ApusError` (`inputOutput`) if not everything was written.
    func close() throws {
        let isClosed = fclose(file) == 0
        guard isComplete, isClosed else { throw Self.failure(path) }
    }

    private static func failure(_ path: String) -> ApusError {
        ApusError(.inputOutput, "\(path): cannot write: \(String(cString: strerror(errno)))")
    }
}
