/// Why a template stopped: one sentence, and the source line once it is known.
struct TemplateFailure: Error {
    let message: String
    var line: Int?

    init(_ message: String, line: Int? = nil) {
        self.message = message
        self.line = line
    }
}

/// Counts what a render uses and stops it at the limits.
final class Meter {
    let limits: RenderLimits
    private var steps = 0
    fileprivate(set) var liveBytes = 0

    init(limits: RenderLimits) { self.limits = limits }

    func step() throws {
        steps += 1
        if steps > limits.steps { throw TemplateFailure("template takes more than \(limits.steps) steps") }
    }

    /// Accounts for work on `bytes` bytes.
    func spend(bytes: Int) throws {
        steps += bytes >> 6
        if steps > limits.steps { throw TemplateFailure("template takes more than \(limits.steps) steps") }
    }

    /// Fails if `bytes` more would exceed the memory allowance.
    func check(bytes: Int) throws {
        if bytes > limits.liveBytes - liveBytes {
            throw TemplateFailure("template's values take more than \(limits.liveBytes) bytes")
        }
    }

    /// Takes `bytes` from the allowance until the returned charge dies.
    func charge(bytes: Int) throws -> MemoryCharge {
        try check(bytes: bytes)
        try spend(bytes: bytes)
        return MemoryCharge(bytes: bytes, meter: self)
    }
}

/// Bytes taken from a meter's allowance, given back when the value that holds the charge dies.
final class MemoryCharge {
    /// What an element of a list or dict is accounted for, with its own small storage.
    static let perElement = 128

    private let bytes: Int
    private let meter: Meter

    fileprivate init(bytes: Int, meter: Meter) {
        self.bytes = bytes
        self.meter = meter
        meter.liveBytes += bytes
    }

    deinit { meter.liveBytes -= bytes }
}
