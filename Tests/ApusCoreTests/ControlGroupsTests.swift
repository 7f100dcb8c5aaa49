import ApusCore
import ApusTestSupport
import Testing

@Suite struct ControlGroupsTests {
    @Test func theLeastLimitOnTheWayUpCounts() throws {
        let folder = try TemporaryFolder()
        try folder.write("max\n", to: "a/b/c/memory.max")
        try folder.write("3000000000\n", to: "a/b/memory.max")
        try folder.write("2000000000\n", to: "a/memory.max")
        try folder.write("150000 100000\n", to: "a/b/c/cpu.max")
        try folder.write("max 100000\n", to: "a/cpu.max")
        let groups = ControlGroups(root: folder.path, membership: "0::/a/b/c\n")
        #expect(groups.memoryLimit == 2_000_000_000)
        #expect(groups.processorQuota == 1.5)
    }

    @Test func versionOneHasAHierarchyPerController() throws {
        let folder = try TemporaryFolder()
        try folder.write("9223372036854771712\n", to: "memory/memory.limit_in_bytes")
        try folder.write("500000000\n", to: "memory/x/y/memory.limit_in_bytes")
        try folder.write("-1\n", to: "cpu/cpu.cfs_quota_us")
        try folder.write("200000\n", to: "cpu/z/cpu.cfs_quota_us")
        try folder.write("100000\n", to: "cpu/z/cpu.cfs_period_us")
        let groups = ControlGroups(root: folder.path, membership: "4:memory:/x/y\n3:cpu,cpuacct:/z\n0::/\n")
        #expect(groups.memoryLimit == 500_000_000)
        #expect(groups.processorQuota == 2)
    }

    @Test func aContainerFindsItsGroupAtTheTop() throws {
        let folder = try TemporaryFolder()
        try folder.write("1000\n", to: "memory.max")
        #expect(ControlGroups(root: folder.path, membership: "0::/docker/0123\n").memoryLimit == 1000)
    }

    @Test(arguments: ["", "nonsense", "0:", "::", "0::/../..", ":::::\n0::/missing"])
    func whatCannotBeReadIsNoLimit(membership: String) throws {
        let groups = ControlGroups(root: try TemporaryFolder().path, membership: membership)
        #expect(groups.memoryLimit == nil)
        #expect(groups.processorQuota == nil)
    }
}
