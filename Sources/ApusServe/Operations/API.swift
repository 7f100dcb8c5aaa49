import ApusCore
package import ApusFormats

/// All routes of a server with what guards them, but without a transport.
package struct API: Sendable {
    package let service: Service
    package let endpoints: [Endpoint]
    package let origins: OriginPolicy
    /// The keys; nil lets everybody in.
    private let keys: KeyFile?

    package init(service: Service, origins: OriginPolicy, keys: KeyFile? = nil) {
        self.service = service
        self.origins = origins
        self.keys = keys
        endpoints = OperationsEndpoints.all(beside: OpenAIEndpoints.all) + PageEndpoints.all
    }

    /// The endpoint of a method and path, and what the path's last component stands for.
    /// - Throws: `ServiceError`: `notFound`, or `methodNotAllowed` naming the other method.
    package func endpoint(method: String, path: String) throws -> (endpoint: Endpoint, parameter: String) {
        var other: Endpoint.Method?
        for endpoint in endpoints {
            guard let parameter = endpoint.parameter(of: path[...]) else { continue }
            if endpoint.method.rawValue == method.lowercased() { return (endpoint, String(parameter)) }
            other = endpoint.method
        }
        if let other {
            throw ServiceError(.methodNotAllowed, "the path takes \(other.rawValue.uppercased()) only")
        }
        throw ServiceError(.notFound, "there is no \(path.quotedForMessage); see /openapi.json")
    }

    /// Who asks.
    /// - Parameter authorization: the header of that name.
    /// - Throws: `ServiceError` (`unauthorized`), the same for every wrong key.
    package func caller(of endpoint: Endpoint, authorization: String?) throws -> Caller {
        guard let keys, !endpoint.isPublic else { return .anyone }
        let parts = (authorization ?? "").split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer",
            let caller = keys.ring().caller(presenting: String(parts[1]))
        else {
            throw ServiceError(.unauthorized, "expected a key of this server in the header Authorization: Bearer KEY")
        }
        return caller
    }

    /// Answers a request.
    /// - Throws: `ServiceError`.
    package func reply(
        _ endpoint: Endpoint,
        parameter: String,
        body: [UInt8],
        caller: Caller,
        id: String,
        arrival: ContinuousClock.Instant
    ) async throws -> Reply {
        do {
            let fields = try endpoint.fields.map { try $0.read(Self.json(body)) } ?? .none
            let call = Call(
                service: service,
                caller: caller,
                id: id,
                arrival: arrival,
                parameter: parameter,
                fields: fields
            )
            var reply = try await endpoint.perform(call)
            if !fields.ignored.isEmpty {
                let names = fields.ignored.joined(separator: ", ")
                reply.headers.append(("warning", "299 apus \"ignored fields: \(names)\""))
            }
            return reply
        } catch let error as ApusError {
            throw ServiceError(error)
        }
    }

    /// A body as JSON.
    package static func json(_ body: [UInt8]) throws -> JSONValue {
        do {
            return try JSONValue(parsing: body, name: "the body")
        } catch let error as ApusError {
            throw ServiceError(.invalidRequest, error.message)
        }
    }
}
