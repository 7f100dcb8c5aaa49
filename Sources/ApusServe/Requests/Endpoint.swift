package import ApusFormats

/// One route: what is asked, what is answered and by whom.
///
/// The table of all endpoints is what routes requests, what decodes them and what `/openapi.json` is made from.
package struct Endpoint: Sendable {
    package enum Method: String, Sendable {
        case get
        case post
    }

    /// What an answer looks like.
    package enum Answer: Sendable {
        /// JSON of a schema; streamed as server-sent events where the request can ask for that.
        case json(Schema, canStream: Bool = false)
        /// Text of a media type.
        case text(String)
    }

    package let method: Method
    /// The path; a last component in braces stands for any text.
    package let path: String
    package let summary: String
    /// The fields of the body; nil without a body.
    package let fields: FieldTable?
    package let answer: Answer
    /// Whether it may be used without a key.
    package let isPublic: Bool
    /// Answers a call.
    package let perform: @Sendable (Call) async throws -> Reply

    package init(
        _ method: Method,
        _ path: String,
        _ summary: String,
        fields: FieldTable? = nil,
        answer: Answer,
        isPublic: Bool = false,
        perform: @escaping @Sendable (Call) async throws -> Reply
    ) {
        self.method = method
        self.path = path
        self.summary = summary
        self.fields = fields
        self.answer = answer
        self.isPublic = isPublic
        self.perform = perform
    }

    /// What the path's last component stands for, if the path fits; empty for a path without such a component.
    package func parameter(of path: Substring) -> Substring? {
        guard let brace = self.path.firstIndex(of: "{") else { return path == self.path ? "" : nil }
        let prefix = self.path[..<brace]
        guard path.hasPrefix(prefix) else { return nil }
        let rest = path.dropFirst(prefix.count)
        return rest.isEmpty || rest.contains("/") ? nil : rest
    }
}

/// A request to an endpoint.
package struct Call: Sendable {
    package let service: Service
    package let caller: Caller
    /// The request's id, as it stands in the log and in `x-request-id`.
    package let id: String
    /// When the request's head was there.
    package let arrival: ContinuousClock.Instant
    /// The path's last component, where the endpoint has one.
    package let parameter: String
    /// The body's fields, checked against the endpoint's table.
    package let fields: FieldValues

    package init(
        service: Service,
        caller: Caller = .anyone,
        id: String = "",
        arrival: ContinuousClock.Instant = .now,
        parameter: String = "",
        fields: FieldValues = .none
    ) {
        self.service = service
        self.caller = caller
        self.id = id
        self.arrival = arrival
        self.parameter = parameter
        self.fields = fields
    }
}

extension Call {
    /// The model that the call asks for, loaded if need be.
    /// - Throws: `ServiceError`.
    package func model(named name: String?) async throws -> ServedModel {
        try await service.model(named: name, for: caller)
    }
}

/// What is answered.
package struct Reply: Sendable {
    package enum Body: Sendable {
        /// All of it.
        case bytes([UInt8], contentType: String)
        /// Server-sent events as they come.
        case events(Inference, any StreamEncoder)
    }

    package var status: Int
    package var headers: [(name: String, value: String)]
    package var body: Body

    package init(status: Int = 200, headers: [(name: String, value: String)] = [], body: Body) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// A JSON answer.
    package static func json(status: Int = 200, _ write: (inout JSONWriter) -> Void) -> Reply {
        var writer = JSONWriter(.compact)
        writer.object(write)
        return Reply(status: status, body: .bytes(writer.bytes, contentType: "application/json"))
    }

    /// A text answer.
    package static func text(_ text: String, contentType: String = "text/plain; charset=utf-8") -> Reply {
        Reply(body: .bytes(Array(text.utf8), contentType: contentType))
    }
}

/// Turns a request's events into a dialect's stream.
package protocol StreamEncoder: Sendable {
    /// What comes before the first event.
    mutating func beginning() -> [UInt8]
    /// What an event adds; may be empty.
    mutating func bytes(for event: Inference.Event) -> [UInt8]
    /// What tells the client that something went wrong; nothing follows.
    func bytes(for error: ServiceError) -> [UInt8]
}
