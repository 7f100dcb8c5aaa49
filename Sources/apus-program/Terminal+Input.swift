import ApusCore
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension Terminal {
    /// Whether standard input is a terminal.
    static var isInputTerminal: Bool { isatty(STDIN_FILENO) == 1 }

    /// All of standard input as bytes.
    /// - Throws: `ApusError` (`inputOutput`) if it can't be read.
    static func readInputBytes() throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(STDIN_FILENO, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            // A closed standard input is an empty one.
            if count < 0, errno == EBADF { return bytes }
            guard count >= 0 else {
                throw ApusError(.inputOutput, "standard input: \(String(cString: strerror(errno)))")
            }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
        }
    }

    /// All of standard input as text; bytes that are not UTF-8 become U+FFFD.
    static func readInput() throws -> String { String(decoding: try readInputBytes(), as: UTF8.self) }

    /// Writes bytes as they are to standard output.
    static func write(bytes: [UInt8]) { write(bytes, to: STDOUT_FILENO) }

    /// A whole file.
    /// - Throws: `ApusError` naming the path.
    static func readFile(_ path: String) throws -> [UInt8] {
        try MappedFile(path: path).withUnsafeBytes { Array($0) }
    }

    /// Writes a file anew.
    /// - Throws: `ApusError` (`inputOutput`) naming the path.
    static func writeFile(_ text: String, to path: String) throws {
        guard let file = fopen(path, "w") else {
            throw ApusError(.inputOutput, "\(path): cannot write: \(String(cString: strerror(errno)))")
        }
        let written = text.utf8.withContiguousStorageIfAvailable { fwrite($0.baseAddress, 1, $0.count, file) }
        let isClosed = fclose(file) == 0
        guard written == text.utf8.count, isClosed else {
            throw ApusError(.inputOutput, "\(path): cannot write: \(String(cString: strerror(errno)))")
        }
    }

    /// Prints what `body` reports until it ends or an interrupt ends it.
    /// - Returns: everything that was printed.
    static func untilInterrupt(
        _ body: @escaping @Sendable (@escaping @Sendable (String) -> Void) async throws -> Void
    ) async throws -> String {
        let said = Mutex("")
        do {
            try await cancellingOnInterrupt {
                try await body { text in
                    write(text)
                    said.withLock { $0 += text }
                }
            }
        } catch is CancellationError {
            // What was said stays said.
        }
        return said.withLock { $0 }
    }
}
