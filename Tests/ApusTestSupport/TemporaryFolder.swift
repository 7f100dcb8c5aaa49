import ApusCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A folder of files that lives as long as the test needs it.
package final class TemporaryFolder {
    package let path: String
    private var names: [String] = []

    package init() throws {
        var template = Array("/tmp/apus-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ApusError(.inputOutput, "cannot make a temporary folder") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in names { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    package func write(_ bytes: [UInt8], to name: String) throws {
        guard let file = fopen("\(path)/\(name)", "w") else {
            throw ApusError(.inputOutput, "cannot write \(path)/\(name)")
        }
        defer { fclose(file) }
        names.append(name)
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else {
            throw ApusError(.inputOutput, "cannot write \(path)/\(name)")
        }
    }
}
