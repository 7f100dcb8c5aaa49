#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How much memory this process may use, and has used.
public enum HostMemory {
    /// The lesser of the machine's memory and the cgroup's limit (version 2, then version 1), in bytes.
    public static var limit: Int {
        let machine = Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))
        let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        // An unlimited cgroup says "max" (version 2) or a number beyond any machine's memory (version 1).
        let groups = files.compactMap { TextFile.firstLine(of: $0).flatMap { Int($0) } }
        return groups.reduce(machine, min)
    }

    /// The most memory this process had resident so far, in bytes.
    public static var peakResidentByteCount: Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        #if os(Linux)
        return usage.ru_maxrss * 1024
        #else
        return usage.ru_maxrss
        #endif
    }
}

/// Small text files of the system.
package enum TextFile {
    /// The first line of a file, up to 255 bytes; nil if it cannot be read.
    package static func firstLine(of path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 256)
        guard fgets(&buffer, Int32(buffer.count), file) != nil else { return nil }
        let bytes = buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Sizes as people write them: `2GB`, `512MiB`, `1073741824`.
package enum ByteSize {
    private static let units: [(suffix: String, factor: Double)] = [
        ("KIB", 1024), ("MIB", 1_048_576), ("GIB", 1_073_741_824), ("TIB", 1_099_511_627_776),
        ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12),
        ("K", 1024), ("M", 1_048_576), ("G", 1_073_741_824), ("T", 1_099_511_627_776), ("B", 1),
    ]

    /// The bytes a text means; nil if it means none.
    package static func parse(_ text: String) -> Int? {
        let upper = text.uppercased()
        let unit = units.first { upper.hasSuffix($0.suffix) }
        let digits = upper.dropLast(unit?.suffix.count ?? 0)
        guard let number = Double(digits), number >= 0 else { return nil }
        let bytes = (number * (unit?.factor ?? 1)).rounded()
        return bytes < 9e18 ? Int(bytes) : nil
    }
}
