#if Serve
import ApusCore
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// A connection as a responder sees it.
struct ConnectionContext: InitializableFromSource {
    let channel: any Channel

    init(source: ApplicationRequestContextSource) { channel = source.channel }
}

/// Answers HTTP requests through an API: guards first, then the body, then the endpoint.
struct APIResponder: HTTPResponder {
    typealias Context = ConnectionContext

    let api: API
    let logger: Logger

    func respond(to request: Request, context: ConnectionContext) async throws -> Response {
        var exchange = Exchange(api: api, logger: logger, request: request, context: context)
        return try await exchange.response()
    }
}

/// One request and its answer.
struct Exchange {
    private let api: API
    private let logger: Logger
    private let request: Request
    private let channel: any Channel
    private let arrival = ContinuousClock.now
    private let id: String
    private var origin: String?
    private var route = "unknown"
    private var caller = Caller.anyone
    /// Whether there is a body nobody has read.
    private var isBodyPending: Bool

    init(api: API, logger: Logger, request: Request, context: ConnectionContext) {
        self.api = api
        self.logger = logger
        self.request = request
        channel = context.channel
        id = RequestIdentifier.make(from: request.headers.value(of: "x-request-id"))
        isBodyPending = RequestBodyReader.hasBody(request)
    }

    /// The answer; errors become answers too.
    mutating func response() async throws -> Response {
        let connection = try await channel.pipeline.handler(type: ConnectionGuard.self).get()
        do {
            // Before, since an argument would be evaluated after `self` was read.
            let reply = try await reply(connection)
            return respond(with: reply, connection)
        } catch let error as ServiceError {
            return respond(with: OpenAIError.reply(error), connection)
        } catch is CancellationError {
            // Nobody is there to read an answer, or the server ends and says so.
            let error = ServiceError(.shuttingDown, "the request was cancelled")
            return respond(with: OpenAIError.reply(error), connection)
        }
    }

    private mutating func reply(_ connection: ConnectionGuard) async throws -> Reply {
        origin = try api.origins.check(host: request.head.authority, origin: request.headers[.origin])
        if request.method == .options, origin != nil { return Self.preflight }
        let method = request.method == .head ? "GET" : request.method.rawValue
        let (endpoint, parameter) = try api.endpoint(method: method, path: request.uri.path)
        route = endpoint.path
        caller = try api.caller(of: endpoint, authorization: request.headers[.authorization])
        var body: [UInt8] = []
        if endpoint.fields != nil {
            body = try await RequestBodyReader.bytes(of: request)
            isBodyPending = false
        }
        let (api, caller, id, arrival) = (api, caller, id, arrival)
        // Cancelled when the client goes.
        let task = Task { [body] in
            try await api.reply(
                endpoint,
                parameter: parameter,
                body: body,
                caller: caller,
                id: id,
                arrival: arrival
            )
        }
        connection.whenClosed { task.cancel() }
        defer { connection.whenClosed(nil) }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// What a browser asks before it lets another site's page call.
    private static let preflight = Reply(
        status: 204,
        headers: [
            ("access-control-allow-methods", "GET, POST"),
            ("access-control-allow-headers", "authorization, content-type"), ("access-control-max-age", "600"),
        ],
        body: .bytes([], contentType: "text/plain")
    )

    // MARK: HTTP

    private func respond(with reply: Reply, _ connection: ConnectionGuard) -> Response {
        var headers = HTTPFields()
        for (name, value) in reply.headers { headers.set(name, value) }
        headers.set("x-request-id", id)
        headers.set("x-content-type-options", "nosniff")
        headers[.cacheControl] = "no-store"
        if let origin {
            headers.set("access-control-allow-origin", origin)
            headers[.vary] = "origin"
            headers.set("access-control-expose-headers", "x-request-id, retry-after, warning")
        }
        if isBodyPending { closeSoon(&headers) }
        let status = HTTPResponse.Status(code: reply.status)
        switch reply.body {
        case .bytes(let bytes, let contentType):
            headers[.contentType] = contentType
            finish(status: reply.status)
            let response = Response(
                status: status,
                headers: headers,
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes))
            )
            return request.method == .head ? response.createHeadResponse() : response
        case .events(let inference, let encoder):
            headers[.contentType] = "text/event-stream; charset=utf-8"
            // For proxies that would otherwise collect the stream.
            headers.set("x-accel-buffering", "no")
            return Response(status: status, headers: headers, body: body(of: inference, encoder, connection))
        }
    }

    /// Ends the connection after the answer: reading a body only to drop it would be work for whoever sends it.
    private func closeSoon(_ headers: inout HTTPFields) {
        headers[.connection] = "close"
        // Late enough for the client to read the answer, which an earlier reset would take from it.
        let channel = channel
        channel.eventLoop.scheduleTask(in: .seconds(2)) { channel.close(promise: nil) }
    }

    /// The stream of an inference, which ends with it or with the client.
    private func body(
        of inference: Inference,
        _ encoder: any StreamEncoder,
        _ connection: ConnectionGuard
    ) -> ResponseBody {
        let exchange = self
        return ResponseBody { writer in
            connection.whenClosed { inference.cancel() }
            defer {
                connection.whenClosed(nil)
                inference.cancel()
            }
            let status = try await EventWriter.write(inference, encoder, to: &writer)
            exchange.finish(status: status)
            try await writer.finish(nil)
        }
    }

    private func finish(status: Int) {
        let duration = arrival.duration(to: .now)
        api.service.metrics.countRequest(route: route, status: status, duration)
        var metadata: Logger.Metadata = [
            "id": "\(id)", "status": "\(status)", "ms": "\(Int(duration.seconds * 1000))",
        ]
        if let name = caller.name { metadata["key"] = "\(name)" }
        logger.info("\(request.method.rawValue) \(route)", metadata: metadata)
    }
}

/// Writes an inference's events as they come.
enum EventWriter {
    /// - Returns: 200, or the status of the error that ended the stream.
    /// - Throws: when the client has gone or the server ends: the stream breaks off then.
    static func write(
        _ inference: Inference,
        _ encoder: any StreamEncoder,
        to writer: inout any ResponseBodyWriter
    ) async throws -> Int {
        var encoder = encoder
        var isFinished = false
        try await writer.write(ByteBuffer(bytes: encoder.beginning()))
        do {
            for try await event in inference.events {
                let bytes = encoder.bytes(for: event)
                if !bytes.isEmpty { try await writer.write(ByteBuffer(bytes: bytes)) }
                if case .finished = event { isFinished = true }
            }
        } catch let error as ApusError {
            let failure = ServiceError(.failed, error.message)
            try await writer.write(ByteBuffer(bytes: encoder.bytes(for: failure)))
            return failure.status
        }
        guard isFinished else { throw CancellationError() }
        return 200
    }
}

extension HTTPFields {
    /// The value of a header; nil without it.
    fileprivate func value(of name: String) -> String? { HTTPField.Name(name).flatMap { self[$0] } }

    /// Sets a header.
    fileprivate mutating func set(_ name: String, _ value: String) {
        if let name = HTTPField.Name(name) { self[name] = value }
    }
}
#endif
