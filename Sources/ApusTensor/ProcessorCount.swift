import ApusCore
import CApusKernels

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
        if let words = TextFile.firstLine(of: "/sys/fs/cgroup/cpu.max")?.split(separator: " "), words.count == 2,
            let quota = Double(words[0]), let period = Double(words[1]), period > 0
        {
            return quota / period
        }
        if let quota = TextFile.firstLine(of: "/sys/fs/cgroup/cpu/cpu.cfs_quota_us").flatMap({ Double($0) }), quota > 0,
            let period = TextFile.firstLine(of: "/sys/fs/cgroup/cpu/cpu.cfs_period_us").flatMap({ Double($0) }),
            period > 0
        {
            return quota / period
        }
        return nil
    }
}
