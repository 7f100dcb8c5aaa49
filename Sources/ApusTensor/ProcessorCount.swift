import CApusKernels

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How many compute threads the process may use.
public enum ProcessorCount {
    /// The cores in this process's affinity mask, cut down to the cgroup's CPU quota (rounded up), at least 1.
    public static var available: Int {
        let affinity = Int(apus_affinity_count())
        guard let quota = cgroupQuota else { return affinity }
        return max(1, min(affinity, Int(quota.rounded(.up))))
    }

    /// Cores the cgroup allows (version 2, then version 1), nil where there is no limit.
    private static var cgroupQuota: Double? {
        if let words = firstLine(of: "/sys/fs/cgroup/cpu.max")?.split(separator: " "), words.count == 2,
            let quota = Double(words[0]), let period = Double(words[1]), period > 0
        {
            return quota / period
        }
        if let quota = firstLine(of: "/sys/fs/cgroup/cpu/cpu.cfs_quota_us").flatMap({ Double($0) }), quota > 0,
            let period = firstLine(of: "/sys/fs/cgroup/cpu/cpu.cfs_period_us").flatMap({ Double($0) }), period > 0
        {
            return quota / period
        }
        return nil
    }

    private static func firstLine(of path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 128)
        guard fgets(&buffer, Int32(buffer.count), file) != nil else { return nil }
        let bytes = buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
