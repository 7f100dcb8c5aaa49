package import ApusCore

/// Why a request was refused or failed, in terms that no dialect owns.
package struct ServiceError: Error, Sendable, Equatable {
    /// The class of an error; a dialect gives it a name, HTTP a status.
    package enum Kind: Sendable, Equatable {
        /// A field is missing, malformed, out of range or not known.
        case invalidRequest
        /// A field asks for something that is not implemented.
        case unsupported
        /// The prompt does not fit the context.
        case contextFull
        case unknownModel
        case unauthorized
        /// The host or origin may not be served.
        case forbidden
        case notFound
        case methodNotAllowed
        case bodyTooLarge
        /// The body did not arrive in time.
        case timeout
        /// Too much is under way; worth another try after so many seconds.
        case busy(retrySeconds: Int)
        /// A key has used up its rate; worth another try after so many seconds.
        case rateLimited(retrySeconds: Int)
        case shuttingDown
        /// The server's own failure.
        case failed
    }

    /// The class.
    package let kind: Kind
    /// One line: what was expected, what was found, what to do.
    package let message: String
    /// The field it is about, as `messages[0].role`.
    package let field: String?

    /// Creates an error.
    package init(_ kind: Kind, _ message: String, field: String? = nil) {
        self.kind = kind
        self.message = message
        self.field = field
    }

    /// What an error of the engine, the templates or the formats means to a client.
    package init(_ error: ApusError, field: String? = nil) {
        let kind: Kind =
            switch error.code {
            case .invalidArgument: .invalidRequest
            case .contextFull: .contextFull
            case .template: .invalidRequest
            case .unsupported: .unsupported
            default: .failed
            }
        self.init(kind, error.message, field: field)
    }

    /// The HTTP status.
    package var status: Int {
        switch kind {
        case .invalidRequest, .unsupported, .contextFull: 400
        case .unauthorized: 401
        case .forbidden: 403
        case .unknownModel, .notFound: 404
        case .methodNotAllowed: 405
        case .timeout: 408
        case .bodyTooLarge: 413
        case .busy, .rateLimited: 429
        case .failed: 500
        case .shuttingDown: 503
        }
    }

    /// After how many seconds another try is worth it; nil where it never is.
    package var retrySeconds: Int? {
        switch kind {
        case .busy(let seconds), .rateLimited(let seconds): seconds
        case .shuttingDown: 5
        default: nil
        }
    }
}
