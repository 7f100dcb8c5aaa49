import ApusCore
import CApusKernels

/// How many compute threads the process may use.
public enum ProcessorCount {
    /// The cores in this process's affinity mask, cut down to its cgroups' CPU quota (rounded up), at least 1.
    public static var available: Int {
        let affinity = Int(apus_affinity_count())
        guard let quota = ControlGroups.current.processorQuota else { return affinity }
        return max(1, min(affinity, Int(min(quota.rounded(.up), 1e6))))
    }
}
