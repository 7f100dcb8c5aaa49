import ApusTensor
import CApusKernels
import Testing

@Suite struct WorkerPoolTests {
    private struct Counters: BitwiseCopyable {
        let visits: UnsafeMutablePointer<Int32>
        /// 1 where a call had no scratch memory of its own or an empty range.
        let faults: UnsafeMutablePointer<Int32>
    }

    @Test(arguments: [1, 2, 3, 5], [1, 2, 3, 7, 63, 64, 65, 1000, 1001])
    func everyUnitRunsExactlyOnce(threads: Int, count: Int) throws {
        let pool = try WorkerPool(threadCount: threads)
        #expect(pool.threadCount == threads)
        let arena = try Arena(name: "test", byteCount: 1 << 16)
        let kernel: apus_range_kernel = { arguments, begin, end, scratch in
            let counters = arguments.load(as: Counters.self)
            for unit in Int(begin)..<Int(end) { counters.visits[unit] += 1 }
            let isAligned = UInt(bitPattern: scratch) % 64 == 0
            if begin > end || !isAligned { counters.faults[0] = 1 }
        }
        for split in [
            WorkSplit.runs(), .runs(grain: 4), .runs(grain: 999), .claims(grain: 1), .claims(grain: 4),
            .claims(grain: 999),
        ] {
            let counters = Counters(
                visits: arena.allocate(Int32.self, count: count),
                faults: arena.allocate(Int32.self, count: 1)
            )
            pool.run(kernel, counters, count: count, split: split)
            #expect((0..<count).allSatisfy { counters.visits[$0] == 1 }, "\(split)")
            #expect(counters.faults[0] == 0)
        }
        pool.run(kernel, 0, count: 0, split: .runs())
    }

    @Test func aLongRunOfSmallOperationsLosesNone() throws {
        let pool = try WorkerPool(threadCount: 3)
        let arena = try Arena(name: "test", byteCount: 1 << 12)
        let counters = Counters(
            visits: arena.allocate(Int32.self, count: 9),
            faults: arena.allocate(Int32.self, count: 1)
        )
        for _ in 0..<2000 {
            pool.run(
                { arguments, begin, end, _ in
                    let counters = arguments.load(as: Counters.self)
                    for unit in Int(begin)..<Int(end) { counters.visits[unit] += 1 }
                },
                counters,
                count: 9,
                split: .claims(grain: 1)
            )
        }
        #expect((0..<9).allSatisfy { counters.visits[$0] == 2000 })
    }
}
