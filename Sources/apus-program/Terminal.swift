import ApusCore
import ArgumentParser

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Standard output, standard error and signals, as every command treats them.
enum Terminal {
    /// Whether standard error is a terminal, so that progress may be drawn.
    static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// The terminal's width in columns; 80 where nobody says.
    static var columnCount: Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }

    /// Writes data to standard output.
    static func write(_ text: String) { write(text, to: STDOUT_FILENO) }

    /// Writes a remark to standard error.
    static func note(_ text: String) { write(text, to: STDERR_FILENO) }

    /// Replaces the line that shows progress; without text it goes.
    ///
    /// Only a terminal has one.
    static func showProgress(_ text: String = "") {
        if isErrorTerminal { note("\r\u{1B}[K\(text)") }
    }

    /// Ends the process the way an error asks for.
    static func exit(with error: any Error) -> Never {
        if error is CancellationError || (error as? ApusError)?.code == .cancelled { dieOfInterrupt() }
        if let error = error as? ApusError { fail(error.description) }
        // Errors that the argument parser knows: help and version, its own messages, wrong usage.
        let code = Program.exitCode(for: error)
        if code == .success {
            write(Program.fullMessage(for: error) + "\n")
            Glibc.exit(0)
        }
        if code == .validationFailure {
            note(prefixed(Program.fullMessage(for: error)) + "\n")
            Glibc.exit(2)
        }
        if error is ExitCode { Glibc.exit(code.rawValue) }
        fail("\(error)")
    }

    /// Ends the process for arguments that a command found wrong while it ran.
    static func exitForWrongUsage(_ message: String, of command: any ParsableCommand.Type) -> Never {
        let usage = Program.usageString(for: command)
        let name = usage.split(separator: " ").prefix { $0.first?.isLetter == true }.joined(separator: " ")
        note("\(errorPrefix)\(message)\nUsage: \(usage)\n  See '\(name) --help' for more information.\n")
        Glibc.exit(2)
    }

    /// Runs work that the first interrupt cancels, so that it can leave things tidy, and the second one ends.
    static func cancellingOnInterrupt<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result)
        async throws -> Result
    {
        let work = Task(operation: body)
        Interrupts.first = { work.cancel() }
        defer { Interrupts.first = nil }
        do {
            return try await work.value
        } catch  where work.isCancelled {
            // Whatever broke first: the reason is the interrupt.
            throw CancellationError()
        }
    }

    /// What every error begins with.
    private static let errorPrefix = "apus: error: "

    /// The argument parser's text of an error, begun as all errors are.
    private static func prefixed(_ text: String) -> String {
        let own = "Error: "
        return errorPrefix + (text.hasPrefix(own) ? text.dropFirst(own.count) : text[...])
    }

    private static func fail(_ message: String) -> Never {
        note("\(errorPrefix)\(message.split(whereSeparator: \.isNewline).joined(separator: " "))\n")
        Glibc.exit(1)
    }

    /// Ends as an interrupted program does, so that a shell stops its script too.
    static func dieOfInterrupt() -> Never {
        signal(SIGINT, SIG_DFL)
        // Dispatch blocks the signals it watches.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        raise(SIGINT)
        Glibc.exit(1)
    }

    /// Ends a program whose output has no place left to go to.
    private static func exitUnableToWrite(to descriptor: Int32, _ code: Int32) -> Never {
        // A reader that left wants no more.
        if code == EPIPE { Glibc.exit(0) }
        // Without standard error there is nobody to tell.
        if descriptor == STDERR_FILENO { Glibc.exit(1) }
        fail("standard output: cannot write: \(String(cString: strerror(code)))")
    }

    private static func write(_ text: String, to descriptor: Int32) { write(Array(text.utf8), to: descriptor) }

    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { exitUnableToWrite(to: descriptor, errno) }
            rest = rest.dropFirst(count)
        }
    }
}
