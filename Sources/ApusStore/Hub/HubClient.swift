#if Hub
import ApusCore
import AsyncHTTPClient
import NIOCore
import NIOHTTP1

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A failure that may pass: the request is worth another try.
struct TransientFailure: Error {
    /// What happened, for people.
    let reason: String
    /// The pause the server asks for.
    var pause: Duration?
}

/// Requests to the hub: the token goes to the hub's own origin only, redirects are followed by hand.
///
/// By hand, because the hub states a large file's hash and size on the redirect itself, and because the token must not
/// travel to the storage host behind it.
struct HubClient {
    /// A response whose body is still to be read.
    struct Response {
        var status: Int
        var headers: HTTPHeaders
        var body: HTTPClientResponse.Body
        /// The content's SHA-256 hash, where the hub states it.
        var linkedSHA256: String?
        /// The content's length, where the hub states it.
        var linkedByteCount: Int?
    }

    private let http: HTTPClient
    private let endpoint: URL
    private let token: String?

    /// Runs work with a client that is shut down afterwards.
    static func withClient<Result>(
        endpoint: URL,
        token: String?,
        policy: HubPolicy,
        _ body: (HubClient) async throws -> Result
    ) async throws -> Result {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        // Ranges and hashes count the bytes as stored.
        configuration.decompression = .disabled
        // Tries are counted and paused between by the source, which tells of them.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.timeout.connect = .nanoseconds(policy.connectTimeout.nanoseconds)
        configuration.timeout.read = .nanoseconds(policy.readTimeout.nanoseconds)
        let http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let result = try await body(HubClient(http: http, endpoint: endpoint, token: token))
            try await http.shutdown()
            return result
        } catch {
            try? await http.shutdown()
            throw error
        }
    }

    /// Sends a request and follows its redirects.
    /// - Parameters:
    ///   - address: the absolute address.
    ///   - method: GET or HEAD; a HEAD stops at the redirect that states hash and size.
    ///   - start: where in the content to start.
    /// - Throws: `TransientFailure` if another try may help, `ApusError` if not.
    func send(_ address: String, method: HTTPMethod = .GET, from start: Int = 0) async throws -> Response {
        guard var url = URL(string: address) else { throw ApusError(.invalidArgument, "\(address): not an address") }
        var linked: (sha256: String?, byteCount: Int?) = (nil, nil)
        for _ in 0..<10 {
            let response = try await sendOnce(url, method: method, from: start)
            let headers = response.headers
            linked.sha256 = linked.sha256 ?? headers.first(name: "X-Linked-Etag").flatMap(Self.sha256)
            linked.byteCount = linked.byteCount ?? headers.first(name: "X-Linked-Size").flatMap { Int($0) }
            let status = Int(response.status.code)
            let isRedirect = [301, 302, 303, 307, 308].contains(status)
            guard isRedirect, method != .HEAD || linked.sha256 == nil else {
                return Response(
                    status: status,
                    headers: headers,
                    body: response.body,
                    linkedSHA256: linked.sha256,
                    linkedByteCount: linked.byteCount
                )
            }
            url = try target(of: headers.first(name: "Location"), from: url)
        }
        throw ApusError(.download, "\(address): expected at most 10 redirects, found more")
    }

    private func sendOnce(_ url: URL, method: HTTPMethod, from start: Int) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: url.absoluteString)
        request.method = method
        request.headers.add(name: "User-Agent", value: "apus")
        request.headers.add(name: "Accept-Encoding", value: "identity")
        if start > 0 { request.headers.add(name: "Range", value: "bytes=\(start)-") }
        if let token, Origin(url) == Origin(endpoint) {
            request.headers.add(name: "Authorization", value: "Bearer \(token)")
        }
        do {
            // The read timeout ends silent connections; a long download has no other end.
            return try await http.execute(request, deadline: .distantFuture)
        } catch {
            try Task.checkCancellation()
            throw TransientFailure(reason: "\(url.host() ?? "hub"): \(error)")
        }
    }

    private func target(of location: String?, from url: URL) throws -> URL {
        guard let location, let target = URL(string: location, relativeTo: url)?.absoluteURL, Origin(target) != nil
        else {
            throw ApusError(
                .download,
                "\(url.host() ?? "hub"): expected an address to redirect to, found \(location ?? "none")"
            )
        }
        guard target.scheme?.lowercased() == "https" || url.scheme?.lowercased() != "https" else {
            throw ApusError(
                .download,
                "\(url.host() ?? "hub"): redirects to the unencrypted address \(location); refused"
            )
        }
        return target
    }

    /// The hash in an entity tag: quoted, perhaps marked weak; nil if it is not a SHA-256.
    private static func sha256(_ tag: String) -> String? {
        let bare = (tag.hasPrefix("W/") ? tag.dropFirst(2) : tag[...]).filter { $0 != "\"" }.lowercased()
        return ContentHash.isHexDigits(bare) ? bare : nil
    }
}

/// Scheme, host and port: what decides who may see the token.
private struct Origin: Equatable {
    private let scheme: String
    private let host: String
    private let port: Int

    /// The origin of an HTTP address; nil for any other.
    init?(_ url: URL) {
        guard let scheme = url.scheme?.lowercased(), let host = url.host()?.lowercased(), !host.isEmpty,
            scheme == "https" || scheme == "http"
        else { return nil }
        self.scheme = scheme
        self.host = host
        port = url.port ?? (scheme == "https" ? 443 : 80)
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
#endif
