#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What libFuzzer hands to a target.
public struct FuzzInput {
    /// The input.
    public let bytes: [UInt8]

    /// Copies what `LLVMFuzzerTestOneInput` was called with.
    public init(_ start: UnsafePointer<UInt8>?, _ count: Int) {
        // sound because libFuzzer keeps `count` bytes valid during the call, which this outlives as a copy
        bytes = Array(UnsafeBufferPointer(start: start, count: count))
    }

    /// Calls `body` with the path of a file that holds `content`; one file per process, written anew each time.
    public static func withFile(_ content: [UInt8], _ body: (String) -> Void) {
        let folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        let path = "\(folder)/apus-fuzz-\(getpid())"
        // A new file each time: a parser may still hold a mapping of the last one.
        unlink(path)
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        let written = write(descriptor, content, content.count)
        precondition(written == content.count, "cannot write \(path)")
        close(descriptor)
        body(path)
        unlink(path)
    }
}
