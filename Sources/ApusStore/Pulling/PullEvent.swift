/// What a pull tells while it runs.
package enum PullEvent: Sendable, Equatable {
    /// Another process pulls the same file; this one waits for it.
    case waiting(file: String)
    /// Bytes of a file have arrived; the total is nil if the source does not state it.
    case received(file: String, byteCount: Int, total: Int?)
    /// A downloaded file is unpacked or checked.
    case checking(file: String)
    /// A file of another program's cache serves without a copy.
    case adopted(file: String, path: String)
    /// The connection broke and is tried again.
    case retrying(file: String, reason: String)
}
