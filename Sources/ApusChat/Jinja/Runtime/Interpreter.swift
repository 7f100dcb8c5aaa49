/// Executes a parsed template over given values.
final class Interpreter {
    let meter: Meter
    /// The time that `strftime_now` formats.
    let now: CalendarTime?
    private let context: [String: Value]
    /// The template's own frame.
    private var root: Frame
    private(set) var frame: Frame
    private var output: [UInt8] = []
    /// Bytes of outer outputs, while a macro or block captures its own.
    private var suspendedBytes = 0
    private var isCapturing = false
    private var depth = 0
    /// The source line being executed, for error messages.
    var line = 1
    /// What may be part of reference cycles, cleared at the end.
    private var namespaces: [NamespaceValue] = []
    private var capturedFrames: [Frame] = []

    init(context: [String: Value], now: CalendarTime?, limits: RenderLimits) {
        self.context = context
        self.now = now
        meter = Meter(limits: limits)
        root = Frame(Scope(), parent: nil, context: [:])
        frame = root
    }

    func render(_ template: ScopedBody) throws -> [UInt8] {
        defer {
            for namespace in namespaces { namespace.clear() }
            for frame in capturedFrames { frame.clear() }
            // Generators refer to the interpreter.
            root.clear()
        }
        root = Frame(template.scope, parent: nil, context: context)
        frame = root
        do {
            _ = try execute(template.statements)
        } catch var failure as TemplateFailure {
            failure.line = failure.line ?? line
            throw failure
        }
        return output
    }

    /// Runs `body` one level deeper; endless recursion becomes an error.
    func nested<Result>(_ body: () throws -> Result) throws -> Result {
        depth += 1
        defer { depth -= 1 }
        try meter.step()
        if depth > meter.limits.depth {
            throw TemplateFailure("template recurses more than \(meter.limits.depth) deep")
        }
        return try body()
    }

    func write(_ utf8: [UInt8]) throws {
        output += utf8
        try meter.spend(bytes: utf8.count)
        if isCapturing {
            try meter.check(bytes: suspendedBytes + output.count)
        } else if output.count > meter.limits.outputBytes {
            throw TemplateFailure("template prints more than \(meter.limits.outputBytes) bytes")
        }
    }

    /// What `body` prints, as a string.
    func capture(_ body: () throws -> Void) throws -> Value {
        let (outer, wasCapturing, suspended) = (output, isCapturing, suspendedBytes)
        output = []
        if wasCapturing { suspendedBytes += outer.count }
        isCapturing = true
        defer { (output, isCapturing, suspendedBytes) = (outer, wasCapturing, suspended) }
        try body()
        return try meter.text(output)
    }

    /// Runs `body` in a frame of its own.
    func inFrame<Result>(
        _ scope: Scope,
        parent: Frame? = nil,
        _ body: (Frame) throws -> Result
    ) throws -> Result {
        try meter.step()
        let outer = frame
        frame = Frame(scope, parent: parent ?? outer, context: context)
        defer { frame = outer }
        return try body(frame)
    }

    /// Runs `body` in a frame that sees the template's own variables; those of the frames around only if asked for.
    func inBlock<Result>(_ scope: Scope, seesAround: Bool, _ body: () throws -> Result) throws -> Result {
        let around = seesAround ? frame.assigned() : root.assigned()
        try meter.spend(bytes: around.count * MemoryCharge.perElement)
        let outer = frame
        frame = Frame(scope, parent: nil, context: context.merging(around) { _, inner in inner })
        defer { frame = outer }
        return try body()
    }

    func makeNamespace(_ attributes: DictValue) throws -> NamespaceValue {
        try meter.check(bytes: namespaces.count * MemoryCharge.perElement)
        let namespace = NamespaceValue(attributes)
        namespaces.append(namespace)
        return namespace
    }

    /// A macro that keeps the current frame.
    func makeMacro(_ definition: MacroDefinition) throws -> Value {
        if capturedFrames.last !== frame {
            try meter.check(bytes: capturedFrames.count * MemoryCharge.perElement)
            capturedFrames.append(frame)
        }
        return .object(MacroValue(definition, frame: frame))
    }
}
