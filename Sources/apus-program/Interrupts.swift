import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What SIGINT does: it ends the program, unless there is something else to do first.
///
/// One source watches the signal from the first use to the end: Dispatch on Linux doesn't hear a signal again whose
/// source was cancelled, so a source per answer would be deaf from the second on.
enum Interrupts {
    private static let action = Mutex<(@Sendable () -> Void)?>(nil)
    // Sound because it is written once, by the lazy initialization, and only kept alive.
    nonisolated(unsafe) private static let source: any DispatchSourceSignal = {
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT)
        source.setEventHandler {
            guard let first = action.withLock({ $0.take() }) else { Terminal.dieOfInterrupt() }
            first()
        }
        source.activate()
        return source
    }()

    /// What the next interrupt does instead of ending the program; the one after ends it.
    static var first: (@Sendable () -> Void)? {
        get { action.withLock { $0 } }
        set {
            _ = source
            action.withLock { $0 = newValue }
        }
    }
}
