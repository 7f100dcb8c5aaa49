import ApusCore
import ApusTensor

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A matrix of an element type as a file holds it: a temporary file, gone from its folder at once.
struct BenchmarkWeights {
    /// The rows, one after the other.
    let bytes: FileBytes

    /// Encodes sixteen rows of numbers between -1 and 1 and repeats them.
    /// - Throws: `ApusError` (`inputOutput`) if the folder for temporary files cannot be written.
    init(type: ElementType, outputCount: Int, inputCount: Int) throws {
        let values = (0..<16 * inputCount).map { Float(($0 &* 2_654_435_761) >> 7 & 0xffff) / 32_768 - 1 }
        let rows = try ElementCodec.encode(values, as: type, rowLength: inputCount)
        let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(folder)/apus-bench-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard descriptor >= 0 else {
            throw ApusError(.inputOutput, "\(path): cannot create: \(String(cString: strerror(errno)))")
        }
        defer {
            close(descriptor)
            unlink(path)
        }
        for _ in 0..<outputCount / 16 {
            guard write(descriptor, rows, rows.count) == rows.count else {
                throw ApusError(.inputOutput, "\(path): cannot write: \(String(cString: strerror(errno)))")
            }
        }
        bytes = try MappedFile(path: path).bytes
    }
}
