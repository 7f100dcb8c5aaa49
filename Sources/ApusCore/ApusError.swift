/// What went wrong, in one line a person can act on.
///
/// The same type serves every module: `code` is what programs branch on, `message` names the file, field, expected
/// and found value and the remedy, `cause` is the error below it, if any.
public struct ApusError: Error, Sendable, CustomStringConvertible {
    /// The class of an error.
    ///
    /// New codes may be added in any release, so switches need a default.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The code's stable name, as printed in JSON output.
        public let description: String

        private init(_ description: String) { self.description = description }

        /// A file's content breaks its format.
        public static let malformedFile = Code("malformed_file")
        /// The file or request is well formed but asks for something Apus does not implement.
        public static let unsupported = Code("unsupported")
        /// A file, model, tensor or field that is not there.
        public static let notFound = Code("not_found")
        /// A value outside its range or of the wrong kind, given by the caller.
        public static let invalidArgument = Code("invalid_argument")
        /// The memory budget or the machine's memory does not suffice.
        public static let outOfMemory = Code("out_of_memory")
        /// The prompt and the wanted output do not fit the context.
        public static let contextFull = Code("context_full")
        /// A template failed to parse or to render.
        public static let template = Code("template")
        /// Reading, writing or a subprocess failed.
        public static let inputOutput = Code("input_output")
        /// A download failed or its checksum is wrong.
        public static let download = Code("download")
        /// The caller cancelled the work.
        public static let cancelled = Code("cancelled")
    }

    /// The class of the error.
    public let code: Code
    /// One sentence: what was expected, what was found, and the remedy where there is one.
    public let message: String
    /// The error underneath, if any.
    public let cause: (any Error)?

    /// Creates an error.
    /// - Parameters:
    ///   - code: the class of the error.
    ///   - message: one sentence with the remedy.
    ///   - cause: the error underneath, if any.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// The message, followed by the cause where there is one.
    public var description: String {
        guard let cause else { return message }
        return "\(message) (\(cause))"
    }
}
