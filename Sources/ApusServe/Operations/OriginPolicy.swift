import ApusFormats

/// Which hosts a browser may have meant, and which web pages may call.
///
/// A page on the internet can make a visitor's browser send requests to the visitor's own machine: directly, or through
/// a name that resolves to 127.0.0.1 (DNS rebinding). Neither reaches a model.
package struct OriginPolicy: Sendable {
    /// Whether the server listens on this machine only.
    package let isLoopback: Bool
    /// The web origins that may call, as `https://app.example`; `*` stands for all.
    package let allowedOrigins: Set<String>

    package init(isLoopback: Bool, allowedOrigins: Set<String> = []) {
        self.isLoopback = isLoopback
        self.allowedOrigins = allowedOrigins
    }

    /// Whether an address to listen on is reachable from this machine only.
    package static func isLoopback(host: String) -> Bool {
        host == "localhost" || host == "::1" || isLoopbackAddress(host)
    }

    private static func isLoopbackAddress(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.first == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// Checks a request's `Host` and `Origin`.
    /// - Returns: the origin to answer to, nil where a browser's rules play no part.
    /// - Throws: `ServiceError` (`forbidden`).
    package func check(host: String?, origin: String?) throws -> String? {
        if isLoopback, let host, !Self.isLoopback(host: Self.name(of: host)) {
            throw ServiceError(
                .forbidden,
                "host: expected localhost or a loopback address, found \(host.quotedForMessage)"
            )
        }
        guard let origin else { return nil }
        if allowedOrigins.contains("*") || allowedOrigins.contains(origin) { return origin }
        // The server's own page.
        if let host, origin == "http://\(host)" || origin == "https://\(host)" { return nil }
        throw ServiceError(
            .forbidden,
            "origin: \(origin.quotedForMessage) is not on the list; allow it with --cors-origin"
        )
    }

    /// A `Host` header without its port, in lower case.
    private static func name(of host: String) -> String {
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            return String(host[host.index(after: host.startIndex)..<end])
        }
        return host.split(separator: ":", omittingEmptySubsequences: false).first.map { $0.lowercased() } ?? ""
    }
}
