import ApusFormats

/// Errors in OpenAI's shape.
enum OpenAIError {
    /// The answer to a request that was refused or failed.
    static func reply(_ error: ServiceError) -> Reply {
        var reply = Reply.json(status: error.status) { write(error, to: &$0) }
        if let seconds = error.retrySeconds { reply.headers.append(("retry-after", "\(seconds)")) }
        if error.kind == .unauthorized { reply.headers.append(("www-authenticate", "Bearer")) }
        return reply
    }

    /// Writes the member `error`.
    static func write(_ error: ServiceError, to writer: inout JSONWriter) {
        writer.objectMember("error") { writer in
            writer.member("message", error.message)
            writer.member("type", error.openAIType)
            writer.member("param", error.field)
            writer.member("code", error.openAICode)
        }
    }

    /// What every error looks like.
    static let schema = Schema.object([
        Schema.Property(
            "error",
            .object([
                Schema.Property("message", .string, isRequired: true),
                Schema.Property("type", .string, isRequired: true),
                Schema.Property("param", .string),
                Schema.Property("code", .string),
            ]),
            isRequired: true
        )
    ])
}

extension ServiceError {
    fileprivate var openAIType: String {
        switch kind {
        case .unauthorized: "authentication_error"
        case .forbidden: "permission_error"
        case .rateLimited: "rate_limit_error"
        case .busy, .shuttingDown: "overloaded_error"
        case .failed: "server_error"
        default: "invalid_request_error"
        }
    }

    fileprivate var openAICode: String? {
        switch kind {
        case .contextFull: "context_length_exceeded"
        case .unknownModel: "model_not_found"
        case .unauthorized: "invalid_api_key"
        case .unsupported: "unsupported_parameter"
        case .rateLimited: "rate_limit_exceeded"
        case .busy: "server_busy"
        case .shuttingDown: "shutting_down"
        case .bodyTooLarge: "body_too_large"
        case .timeout: "request_timeout"
        case .notFound: "unknown_url"
        case .methodNotAllowed: "method_not_allowed"
        case .invalidRequest, .forbidden, .failed: nil
        }
    }
}
