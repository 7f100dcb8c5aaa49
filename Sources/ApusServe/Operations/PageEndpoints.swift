/// The web page: three files inside the program.
package enum PageEndpoints {
    package static let all = [
        file("/", PackageResources.index_html, "text/html; charset=utf-8"),
        file("/page.css", PackageResources.page_css, "text/css; charset=utf-8"),
        file("/page.js", PackageResources.page_js, "text/javascript; charset=utf-8"),
    ]

    /// Nothing but the page's own files is loaded or called, and nobody may frame it.
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    private static func file(_ path: String, _ bytes: [UInt8], _ contentType: String) -> Endpoint {
        Endpoint(.get, path, "The web page.", answer: .text(contentType), isPublic: true) { _ in
            Reply(
                headers: [("content-security-policy", policy), ("referrer-policy", "no-referrer")],
                body: .bytes(bytes, contentType: contentType)
            )
        }
    }
}
