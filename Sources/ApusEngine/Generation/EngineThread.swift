internal import ApusCore

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Darwin)
internal import Darwin
#endif
/// Starts a thread of our own for work that never yields; Swift's cooperative pool is for work that does.
enum EngineThread {
    /// Runs `body` on a new, detached thread.
    /// - Throws: `ApusError` with code `outOfMemory` if the system has no thread to give.
    static func start(_ body: sending @escaping () -> Void) throws {
        let context = Unmanaged.passRetained(Body(body))
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
                if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
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

    private final class Body {
        let run: () -> Void
        init(_ run: @escaping () -> Void) { self.run = run }
    }
}
