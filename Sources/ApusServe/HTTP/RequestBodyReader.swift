#if Serve
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore

/// Reads a request's body within the limits of size and time.
enum RequestBodyReader {
    /// Whether a request has a body.
    static func hasBody(_ request: Request) -> Bool {
        request.headers[.transferEncoding] != nil || (request.headers[.contentLength].map { $0 != "0" } ?? false)
    }

    /// The whole body.
    /// - Throws: `ServiceError`: `bodyTooLarge`, before anything is read where the length is stated; `timeout`.
    static func bytes(of request: Request) async throws -> [UInt8] {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > RequestLimits.bodyByteCount {
            throw tooLarge
        }
        return try await withThrowingTaskGroup(of: [UInt8].self) { group in
            group.addTask {
                var bytes: [UInt8] = []
                for try await buffer in request.body {
                    guard bytes.count + buffer.readableBytes <= RequestLimits.bodyByteCount else { throw tooLarge }
                    bytes.append(contentsOf: buffer.readableBytesView)
                }
                return bytes
            }
            group.addTask {
                try await Task.sleep(for: RequestLimits.bodyDuration)
                throw ServiceError(.timeout, "the body took longer than \(RequestLimits.bodyDuration) to arrive")
            }
            defer { group.cancelAll() }
            return try await group.next() ?? []
        }
    }

    private static var tooLarge: ServiceError {
        ServiceError(.bodyTooLarge, "the body: expected at most \(RequestLimits.bodyByteCount) bytes")
    }
}
#endif
