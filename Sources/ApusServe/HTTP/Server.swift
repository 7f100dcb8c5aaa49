#if Serve
import ApusCore
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
import UnixSignals

/// Serves an API over HTTP until a signal ends it.
///
/// SIGTERM and SIGINT let the running requests finish: no new connection is accepted, and what is not done in time is
/// cut off.
package struct Server: Sendable {
    private let api: API
    private let host: String
    private let port: Int
    private let drainDuration: Duration
    private let logger: Logger

    /// - Parameters:
    ///   - api: what is served.
    ///   - host: the address to listen on.
    ///   - port: the port; 0 takes a free one.
    ///   - drainDuration: how long running requests may go on after a signal.
    package init(api: API, host: String, port: Int, drainDuration: Duration) {
        self.api = api
        self.host = host
        self.port = port
        self.drainDuration = drainDuration
        logger = Logger(label: "apus")
    }

    /// Listens and serves.
    /// - Parameter started: is called with the port once connections are accepted.
    /// - Throws: `ApusError` if the address cannot be listened on.
    package func run(started: @escaping @Sendable (Int) -> Void) async throws {
        var quiet = logger
        // Its account of connections and signals; ours says what matters.
        quiet.logLevel = .warning
        let port = port
        let application = Application(
            responder: APIResponder(api: api, logger: logger),
            server: .http1(configuration: Self.connections),
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port),
                serverName: "apus",
                availableConnectionsDelegate: .maximum(RequestLimits.connectionCount, logger: quiet)
            ),
            onServerRunning: { channel in started(channel.localAddress?.port ?? port) },
            logger: quiet
        )
        var configuration = ServiceGroupConfiguration(
            services: [application, Drain(service: api.service)],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: quiet
        )
        configuration.maximumGracefulShutdownDuration = drainDuration
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch let error as IOError {
            throw ApusError(.inputOutput, "cannot listen on \(host):\(port)", cause: error)
        }
    }

    private static var connections: HTTP1Channel.Configuration {
        HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionGuard()],
            idleTimeout: TimeAmount(RequestLimits.idleDuration),
            httpDecoderConfiguration: HTTP1Channel.Configuration.DecoderConfiguration(
                maxHeaderFieldSize: RequestLimits.headerByteCount,
                maxHeaderListSize: RequestLimits.headersByteCount,
                maxHeaderFieldCount: RequestLimits.headerCount
            )
        )
    }
}

/// Makes a service take no new work once the server is told to end.
private struct Drain: ServiceLifecycle.Service {
    let service: ApusServe.Service

    func run() async throws {
        try await gracefulShutdown()
        service.drain()
    }
}
#endif
