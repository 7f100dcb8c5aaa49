/// What the cgroups that a process is in allow it (Linux; version 1 and 2, alone or together).
///
/// A group's limit holds for all groups in it, so the least on the way up counts (cgroups(7); "Control Group v2",
/// Documentation/admin-guide/cgroup-v2.rst in the kernel's source).
package struct ControlGroups {
    /// The groups of one hierarchy, from the process's own to the outermost one that can be seen.
    private struct Hierarchy {
        /// Controllers of a version 1 hierarchy; empty for version 2.
        let controllers: [Substring]
        let folders: [String]
    }

    private let hierarchies: [Hierarchy]

    /// The groups of this process.
    package static var current: ControlGroups {
        ControlGroups(root: "/sys/fs/cgroup", membership: TextFile.text(of: "/proc/self/cgroup") ?? "")
    }

    /// Reads which groups a process is in.
    /// - Parameters:
    ///   - root: where the hierarchies are mounted.
    ///   - membership: the text of the process's `/proc/PID/cgroup`.
    package init(root: String, membership: String) {
        hierarchies = membership.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return nil }
            let controllers = parts[1].split(separator: ",")
            let mount = controllers.first.map { "\(root)/\($0)" } ?? root
            var path = parts[2].split(separator: "/")
            var folders: [String] = []
            // A container that sees only its own group finds it at the top, whatever the path says.
            while !path.isEmpty {
                folders.append(([mount[...]] + path).joined(separator: "/"))
                path.removeLast()
            }
            return Hierarchy(controllers: controllers, folders: folders + [mount])
        }
    }

    /// Bytes of memory; nil where there is no limit.
    package var memoryLimit: Int? {
        // An unlimited group says "max" (version 2) or a number beyond any machine's memory (version 1).
        least(version2: "memory.max", controller: "memory", version1: "memory.limit_in_bytes") { folder, name in
            TextFile.firstLine(of: "\(folder)/\(name)").flatMap { Int($0) }
        }
    }

    /// Cores' worth of time; nil where there is no limit.
    package var processorQuota: Double? {
        least(version2: "cpu.max", controller: "cpu", version1: "cpu.cfs_quota_us") { folder, name in
            var words = TextFile.firstLine(of: "\(folder)/\(name)")?.split(separator: " ").map(String.init) ?? []
            if words.count == 1, let period = TextFile.firstLine(of: "\(folder)/cpu.cfs_period_us") {
                words.append(period)
            }
            guard words.count == 2, let quota = Double(words[0]), let period = Double(words[1]), quota > 0, period > 0
            else { return nil }
            return quota / period
        }
    }

    private func least<Limit: Comparable>(
        version2: String,
        controller: Substring,
        version1: String,
        _ read: (_ folder: String, _ name: String) -> Limit?
    ) -> Limit? {
        var limits: [Limit] = []
        for hierarchy in hierarchies {
            let name = hierarchy.controllers.isEmpty ? version2 : version1
            guard hierarchy.controllers.isEmpty || hierarchy.controllers.contains(controller) else { continue }
            limits += hierarchy.folders.compactMap { read($0, name) }
        }
        return limits.min()
    }
}
