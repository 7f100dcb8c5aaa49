/// The bounds of a request before anything is made of it.
package enum RequestLimits {
    /// Bytes of a body: a context of a million tokens, and some.
    package static let bodyByteCount = 8 << 20
    /// How long a body may take to arrive.
    package static let bodyDuration = Duration.seconds(30)
    /// How long a connection may be idle, or take to send a request's head.
    package static let idleDuration = Duration.seconds(60)
    /// How long a client may leave what it was sent unread.
    package static let stallDuration = Duration.seconds(60)
    /// Bytes of one header, and of all of them.
    package static let headerByteCount = 16 << 10
    package static let headersByteCount = 64 << 10
    /// How many headers there may be.
    package static let headerCount = 100
    /// Connections at once; more wait to be accepted.
    package static let connectionCount = 1024
}
