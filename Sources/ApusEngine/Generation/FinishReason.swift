/// Why a generation ended.
public enum FinishReason: String, Sendable, Hashable, Codable {
    /// The model produced an end-of-generation token, or the text a stop string.
    case stop
    /// The wanted number of tokens, or the end of the context, was reached.
    case length
    /// The caller gave up.
    case cancelled
    /// The request's deadline passed.
    case deadline
    /// The model's output was not a number; the stream throws what is known about it.
    case error
}
