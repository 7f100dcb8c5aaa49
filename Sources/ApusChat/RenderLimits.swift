/// What a template may use before rendering stops with an error.
///
/// Templates come with model files, so they are as untrusted as the files: a few lines can ask for endless loops,
/// endless output or endless recursion.
public struct RenderLimits: Sendable {
    /// Work units: one for each evaluated node and one for each 64 bytes made or searched.
    public var steps = 20_000_000
    /// Bytes of rendered output.
    public var outputBytes = 16 << 20
    /// Bytes of strings, lists and dicts alive at once, the rendered output aside.
    public var liveBytes = 24 << 20
    /// Nested statements, expressions and macro calls.
    public var depth = 600

    /// Bytes of template source.
    package static let sourceBytes = 1 << 20
    /// Nested brackets, operators and blocks in the source.
    package static let syntaxDepth = 96
    /// Nested lists and dicts in a value.
    package static let valueDepth = 160
    /// Numbers that `range` may produce, Jinja's own limit.
    package static let rangeCount = 100_000

    /// The defaults, far above what chat templates need.
    public init() {}
}
