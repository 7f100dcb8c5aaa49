#if Hub
import ApusCore
import NIOHTTP1

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension HubSource {
    /// The response, if it is a success.
    /// - Throws: `TransientFailure` or an `ApusError` that says what to do.
    @discardableResult
    func checked(_ response: HubClient.Response) async throws -> HubClient.Response {
        let status = response.status
        // A HEAD may end at the redirect that states the hash.
        if (200..<300).contains(status) || response.linkedSHA256 != nil && (300..<400).contains(status) {
            return response
        }
        let page = "\(endpoint.absoluteString)/\(reference.repository)"
        let detail = response.headers.first(name: "X-Error-Message").map { ": \($0.prefix(200))" } ?? ""
        switch (status, response.headers.first(name: "X-Error-Code")) {
        case (401, "GatedRepo"?), (403, _):
            throw ApusError(
                .download,
                "\(reference): the repository is gated: accept its terms at \(page) "
                    + "and set HF_TOKEN to a token of that account\(detail)"
            )
        case (401, _):
            let advice =
                token == nil
                ? "check the name; if the repository is private or gated, set HF_TOKEN to a token "
                    + "from \(endpoint.absoluteString)/settings/tokens"
                : "the token was refused: check HF_TOKEN, and the name"
            throw ApusError(
                .download,
                "\(reference): the hub shows it only with a token, or has no such repository; \(advice)"
            )
        case (404, "RevisionNotFound"?):
            throw ApusError(
                .notFound,
                "\(reference): no revision \(reference.revision); see the branches at \(page)/tree/main"
            )
        case (404, _):
            throw ApusError(
                .notFound,
                "\(reference): no such repository or file on \(endpoint.host() ?? "the hub")\(detail)"
            )
        case (408, _), (429, _), (500..., _):
            let seconds = response.headers.first(name: "Retry-After").flatMap { Int($0) }.flatMap { $0 >= 0 ? $0 : nil }
            throw TransientFailure(
                reason: "the hub answered with status \(status)",
                pause: seconds.map { .seconds($0) }
            )
        default:
            throw ApusError(.download, "\(reference): expected status 200, found \(status)\(detail)")
        }
    }
}
#endif
