#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How much memory this process may use, and has used.
public enum HostMemory {
    /// The lesser of the machine's memory and what the process's cgroups allow, in bytes.
    public static var limit: Int { min(machine, ControlGroups.current.memoryLimit ?? machine) }

    /// Whether cgroups allow less than the machine has.
    package static var isLimitedByControlGroup: Bool { limit < machine }

    private static var machine: Int {
        Int(sysconf(Int32(_SC_PHYS_PAGES))) * Int(sysconf(Int32(_SC_PAGESIZE)))
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
        bytes(of: path, atMost: 255).map { String(decoding: $0.prefix { $0 != 10 }, as: UTF8.self) }
    }

    /// The text of a file, up to 64 KiB; nil if it cannot be read.
    package static func text(of path: String) -> String? {
        bytes(of: path, atMost: 1 << 16).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func bytes(of path: String, atMost count: Int) -> [UInt8]? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = fread(buffer.baseAddress, 1, count, file)
        }
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
