internal import ApusCore
internal import ApusTensor
internal import Dispatch

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif
/// Starts a thread of our own for work that never yields; Swift's cooperative pool is for work that does.
enum EngineThread {
    /// Runs `body` on a new, detached thread.
    /// - Parameters:
    ///   - end: is told when `body` has returned and been let go.
    ///   - body: the work.
    /// - Throws: `ApusError` with code `outOfMemory` if the system has no thread to give.
    static func start(end: EngineEnd, _ body: sending @escaping () -> Void) throws {
        let context = Unmanaged.passRetained(Body(end, body))
        #if canImport(Darwin)
        var thread: pthread_t?
        #else
        var thread = pthread_t()
        #endif
        let status = pthread_create(
            &thread,
            nil,
            { argument in
                #if canImport(Darwin)
                let context: UnsafeMutableRawPointer? = argument
                #else
                let context = argument
                #endif
                // Sound because the pointer is the retained body passed below, consumed exactly once.
                if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().runOnce() }
                return nil
            },
            context.toOpaque()
        )
        guard status == 0 else {
            context.release()
            throw ApusError(.outOfMemory, "cannot start the engine's thread: \(String(cString: strerror(status)))")
        }
        #if canImport(Darwin)
        if let thread { pthread_detach(thread) }
        #else
        pthread_detach(thread)
        #endif
    }

    /// Lets threads that wait for this core run first.
    static func yield() { sched_yield() }

    private final class Body {
        private let end: EngineEnd
        private var run: (() -> Void)?

        init(_ end: EngineEnd, _ run: @escaping () -> Void) {
            self.end = end
            self.run = run
        }

        func runOnce() {
            WorkerPool.adoptCaller()
            run?()
            run = nil
            end.note()
        }
    }
}

/// The end of an engine's thread: from then on its memory is free.
///
/// Outlives the engine, whose last reference ends the thread. Thread-safe.
package final class EngineEnd: Sendable {
    private let group = DispatchGroup()

    init() { group.enter() }

    fileprivate func note() { group.leave() }

    /// Blocks the calling thread until the end.
    package func wait() { group.wait() }
}
