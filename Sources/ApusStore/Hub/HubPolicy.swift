/// How patient a download from the hub is.
package struct HubPolicy: Sendable {
    /// How often in a row a request may fail without a byte of progress.
    package var attemptLimit = 6
    /// The pause after the first failure; it doubles with each further one.
    package var firstPause = Duration.milliseconds(500)
    /// The longest pause, whatever the hub asks for.
    package var longestPause = Duration.seconds(60)
    /// How long a connection may take to open.
    package var connectTimeout = Duration.seconds(15)
    /// How long an open connection may stay silent.
    package var readTimeout = Duration.seconds(60)

    /// Creates the default policy.
    package init() {}

    /// The pause after a number of failures in a row, or the one the hub asks for.
    func pause(afterFailures count: Int, requested: Duration?) -> Duration {
        let own = firstPause * (1 << min(count - 1, 16))
        return min(requested ?? own, longestPause)
    }
}
