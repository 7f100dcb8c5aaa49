package import CApusKernels
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How an operation's units are spread over the threads.
package enum WorkSplit {
    /// A long run of neighbouring units per thread and a small shared rest, both in multiples of `grain`: reading weights
    /// once, at full bandwidth, or rows that the same thread worked on before.
    case runs(grain: Int = 1)
    /// Claims of `grain` units from one counter: work whose cost per unit is large or uneven.
    case claims(grain: Int)
}

/// Our own compute threads: the caller and `threadCount - 1` workers run one operation at a time.
///
/// Workers spin briefly after an operation, as the next one usually follows within microseconds, then park. Swift's
/// cooperative pool is never used for kernels. Not thread-safe: one task at a time may call `run`.
package final class WorkerPool {
    package let threadCount: Int
    private let shared: Shared
    private let scratch: Arena

    package init(threadCount: Int) throws {
        self.threadCount = max(1, threadCount)
        scratch = try Arena(name: "thread scratch", byteCount: self.threadCount * Int(APUS_SCRATCH_BYTES))
        let base = scratch.allocate(byteCount: scratch.byteCount)
        shared = Shared(threadCount: self.threadCount, scratch: base)
        for index in 1..<max(1, self.threadCount) { shared.startWorker(index) }
    }

    deinit { shared.stop() }

    /// Makes the calling thread one that computes: to be called once by the thread that will call `run` all its life.
    package static func adoptCaller() { apus_ask_for_long_slices() }

    /// Runs units `0 ..< count` of an operation and returns when all are done.
    ///
    /// `args` must stay valid during the call, which the caller's stack guarantees; nothing is allocated.
    package func run<Arguments: BitwiseCopyable>(
        _ kernel: @escaping apus_range_kernel,
        _ arguments: Arguments,
        count: Int,
        split: WorkSplit
    ) {
        guard count > 0 else { return }
        withUnsafePointer(to: arguments) { pointer in
            let smallest =
                switch split {
                case .runs(let grain), .claims(let grain): grain
                }
            if threadCount == 1 || count <= smallest {
                kernel(pointer, 0, Int64(count), shared.scratch)
            } else {
                shared.run(
                    Job(kernel: kernel, arguments: pointer, count: count, threadCount: threadCount, split: split)
                )
            }
        }
    }
}

/// One operation and how its units are split.
private struct Job {
    let kernel: apus_range_kernel
    let arguments: UnsafeRawPointer
    /// Units of each thread's own run; the shared rest starts after all of them.
    let runLength: Int
    let firstShared: Int
    let count: Int
    /// Claims of `grain` units; those after them take half, so that all threads end together.
    let fullClaims: Int
    let grain: Int

    init(
        kernel: @escaping apus_range_kernel,
        arguments: UnsafeRawPointer,
        count: Int,
        threadCount: Int,
        split: WorkSplit
    ) {
        self.kernel = kernel
        self.arguments = arguments
        self.count = count
        switch split {
        case .runs(let grain):
            // An eighth is shared, in small claims: enough to even out a neighbour's noise.
            runLength = count * 7 / 8 / threadCount / grain * grain
            self.grain = max(1, count / 8 / threadCount / 4 / grain) * grain
        case .claims(let grain):
            runLength = 0
            self.grain = grain
        }
        firstShared = runLength * threadCount
        fullClaims = max(0, (count - firstShared) / grain - threadCount)
    }

    /// The units of a claim; empty when there are none left.
    func units(ofClaim claim: Int) -> Range<Int> {
        let rest = max(0, claim - fullClaims)
        let half = (grain + 1) / 2
        let begin = firstShared + (claim - rest) * grain + rest * half
        guard begin < count else { return count..<count }
        return begin..<min(begin + (claim < fullClaims ? grain : half), count)
    }
}

/// What the threads share.
///
/// Sound to send: `job` is written by the caller only while all workers wait, and published by the release-store of
/// `generation`; the rest is atomic or guarded by the mutex.
private final class Shared: @unchecked Sendable {
    let scratch: UnsafeMutableRawPointer
    private let threadCount: Int
    private var job: Job?
    private let generation = Atomic<Int>(0)
    private let nextClaim = Atomic<Int>(0)
    private let finished = Atomic<Int>(0)
    private let sleepers = Atomic<Int>(0)
    private let isStopping = Atomic<Bool>(false)
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wake: UnsafeMutablePointer<pthread_cond_t>

    /// About 50 microseconds: longer than the gap between two operations of a step, shorter than anyone notices.
    private static let spinCount = 4_000

    init(threadCount: Int, scratch: UnsafeMutableRawPointer) {
        self.threadCount = threadCount
        self.scratch = scratch
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        wake = .allocate(capacity: 1)
        wake.initialize(to: pthread_cond_t())
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wake, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(wake)
        mutex.deallocate()
        wake.deallocate()
    }

    func startWorker(_ index: Int) {
        let start = WorkerStart(shared: self, index: index)
        let context = Unmanaged.passRetained(start).toOpaque()
        var thread = pthread_t()
        let status = pthread_create(&thread, nil, workerMain, context)
        precondition(status == 0, "cannot start a compute thread")
        pthread_detach(thread)
    }

    func stop() {
        isStopping.store(true, ordering: .sequentiallyConsistent)
        publish()
    }

    func run(_ job: Job) {
        self.job = job
        nextClaim.store(0, ordering: .relaxed)
        finished.store(0, ordering: .relaxed)
        publish()
        work(job, thread: 0)
        var spins = 0
        while finished.load(ordering: .acquiring) < threadCount - 1 {
            apus_spin_hint()
            spins += 1
            // A worker that lost its core needs ours.
            if spins % 20_000 == 0 { sched_yield() }
        }
    }

    private func publish() {
        generation.add(1, ordering: .sequentiallyConsistent)
        guard sleepers.load(ordering: .sequentiallyConsistent) > 0 else { return }
        pthread_mutex_lock(mutex)
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(mutex)
    }

    private func work(_ job: Job, thread: Int) {
        let scratch = scratch + thread * Int(APUS_SCRATCH_BYTES)
        if job.runLength > 0 {
            let begin = thread * job.runLength
            job.kernel(job.arguments, Int64(begin), Int64(begin + job.runLength), scratch)
        }
        while true {
            let units = job.units(ofClaim: nextClaim.add(1, ordering: .relaxed).oldValue)
            guard !units.isEmpty else { return }
            job.kernel(job.arguments, Int64(units.lowerBound), Int64(units.upperBound), scratch)
        }
    }

    func serve(thread: Int) {
        apus_ask_for_long_slices()
        var seen = 0
        while true {
            seen = waitForJob(after: seen)
            if isStopping.load(ordering: .acquiring) { return }
            if let job { work(job, thread: thread) }
            finished.add(1, ordering: .releasing)
        }
    }

    private func waitForJob(after seen: Int) -> Int {
        for _ in 0..<Self.spinCount {
            let now = generation.load(ordering: .acquiring)
            if now != seen { return now }
            apus_spin_hint()
        }
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        sleepers.add(1, ordering: .sequentiallyConsistent)
        defer { sleepers.subtract(1, ordering: .sequentiallyConsistent) }
        while true {
            let now = generation.load(ordering: .sequentiallyConsistent)
            if now != seen { return now }
            pthread_cond_wait(wake, mutex)
        }
    }
}

private final class WorkerStart {
    let shared: Shared
    let index: Int

    init(shared: Shared, index: Int) {
        self.shared = shared
        self.index = index
    }
}

private func workerMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    let start = Unmanaged<WorkerStart>.fromOpaque(context).takeRetainedValue()
    start.shared.serve(thread: start.index)
    return nil
}
