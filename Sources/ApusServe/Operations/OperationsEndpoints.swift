import Apus
import ApusEngine
import ApusFormats

/// The routes for those who run the server.
package enum OperationsEndpoints {
    private static let statusSchema = Schema.object([Schema.Property("status", .string, isRequired: true)])

    /// The routes; the description of all routes describes itself too.
    /// - Parameter others: the routes of the dialects.
    package static func all(beside others: [Endpoint]) -> [Endpoint] {
        let own = [
            Endpoint(
                .get,
                "/health",
                "Answers as long as the process lives, however busy it is.",
                answer: .json(statusSchema),
                isPublic: true
            ) { _ in .json { $0.member("status", "ok") } },
            Endpoint(
                .get,
                "/ready",
                "Whether new work is taken; 503 while the server shuts down.",
                answer: .json(statusSchema),
                isPublic: true
            ) { call in
                guard call.service.isReady else { throw ServiceError(.shuttingDown, "the server is shutting down") }
                return .json { $0.member("status", "ready") }
            },
            Endpoint(.get, "/metrics", "Metrics in Prometheus' text format.", answer: .text("text/plain")) { call in
                let models = call.service.registry.reports
                let text = call.service.metrics.text(models: models, inFlightCount: call.service.admission.count)
                return .text(text, contentType: "text/plain; version=0.0.4; charset=utf-8")
            },
        ]
        let described = own + others
        let document = Endpoint(
            .get,
            "/openapi.json",
            "This description.",
            answer: .json(.anyObject)
        ) { _ in .json { OpenAPIDocument.write(described, to: &$0) } }
        return described + [document]
    }
}
