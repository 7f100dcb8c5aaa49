import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Ends the process in one line when somebody shortens a mapped file, or its disk fails, under it.
///
/// Reading a mapped page that the file no longer has raises SIGBUS, which no reader of mapped files can prevent. With
/// the guard installed such a signal inside a mapping of `MappedFile` prints the file's name and exits with 1; any other
/// SIGBUS ends the process as before. Signal handlers belong to the whole process, so a library never installs one:
/// programs do.
public enum TruncationGuard {
    /// A mapping as the handler sees it; `length` is 0 while the entry is free.
    ///
    /// Entries are never given back, so that the handler may walk over them at any time.
    private struct Entry {
        var start: UInt
        var length: UInt
        var message: UnsafeMutablePointer<CChar>?
        let next: UnsafeMutablePointer<Entry>?
    }

    private static let lock = Mutex(())
    // sound because writers hold the lock, and a thread that faults inside a mapping came by it after its entry was
    // complete; other entries it may see half written do not match the address
    private nonisolated(unsafe) static var entries: UnsafeMutablePointer<Entry>?
    private nonisolated(unsafe) static var isInstalled = false

    /// Installs the handler; files mapped before are not watched.
    public static func install() {
        lock.withLock { _ in
            guard !isInstalled else { return }
            isInstalled = true
            var action = sigaction()
            action.sa_flags = SA_SIGINFO
            #if os(Linux)
            action.__sigaction_handler.sa_sigaction = { _, info, _ in
                TruncationGuard.handle(UInt(bitPattern: info?.pointee._sifields._sigfault.si_addr))
            }
            #else
            action.__sigaction_u.__sa_sigaction = { _, info, _ in
                TruncationGuard.handle(UInt(bitPattern: info?.pointee.si_addr))
            }
            #endif
            sigaction(SIGBUS, &action, nil)
        }
    }

    /// Watches a mapping.
    static func add(_ base: UnsafeRawPointer, byteCount: Int, path: String) {
        lock.withLock { _ in
            guard isInstalled else { return }
            let start = UInt(bitPattern: base)
            let text =
                "apus: error: \(path): expected \(byteCount) bytes, as when it was opened, found fewer or a failing disk: "
                + "the file changed while in use\n"
            var entry = entries
            while let free = entry, free.pointee.length != 0 { entry = free.pointee.next }
            guard let free = entry else {
                let new = UnsafeMutablePointer<Entry>.allocate(capacity: 1)
                let length = UInt(byteCount)
                new.initialize(to: Entry(start: start, length: length, message: strdup(text), next: entries))
                entries = new
                return
            }
            free.pointee.start = start
            free.pointee.message = strdup(text)
            free.pointee.length = UInt(byteCount)
        }
    }

    /// Forgets a mapping.
    static func remove(_ base: UnsafeRawPointer) {
        lock.withLock { _ in
            var entry = entries
            while let known = entry {
                if known.pointee.length != 0, known.pointee.start == UInt(bitPattern: base) {
                    known.pointee.length = 0
                    free(known.pointee.message)
                    known.pointee.message = nil
                    return
                }
                entry = known.pointee.next
            }
        }
    }

    /// Called on the thread that faulted: only what a signal handler may do.
    private static func handle(_ address: UInt) {
        var entry = entries
        while let known = entry {
            let (start, length) = (known.pointee.start, known.pointee.length)
            if let message = known.pointee.message, address >= start, address - start < length {
                write(STDERR_FILENO, message, strlen(message))
                _exit(1)
            }
            entry = known.pointee.next
        }
        // Not ours: the instruction runs again and ends the process.
        signal(SIGBUS, SIG_DFL)
    }
}
