import ApusServe
import Testing

struct MetricsTests {
    @Test func histogramsAddUp() async throws {
        let metrics = Metrics()
        for milliseconds in [1, 20, 20, 400] { metrics.observe(.firstToken, .milliseconds(milliseconds)) }
        metrics.countRequest(route: "/v1/models", status: 200, .milliseconds(20))
        let text = metrics.text(models: [], inFlightCount: 3)
        let lines = text.split(separator: "\n")
        #expect(lines.contains(#"apus_time_to_first_token_seconds_bucket{le="0.01"} 1"#))
        #expect(lines.contains(#"apus_time_to_first_token_seconds_bucket{le="0.05"} 3"#))
        #expect(lines.contains(#"apus_time_to_first_token_seconds_bucket{le="+Inf"} 4"#))
        #expect(lines.contains("apus_time_to_first_token_seconds_count 4"))
        #expect(lines.contains("apus_answers_in_flight 3"))
        #expect(lines.contains(#"apus_http_request_seconds_count{route="/v1/models",status="200"} 1"#))
    }

    @Test func everyMetricIsExplained() {
        let lines = Metrics().text(models: [], inFlightCount: 0).split(separator: "\n")
        for line in lines where !line.hasPrefix("#") {
            let name = line.prefix { $0 != "{" && $0 != " " }
            let family = ["_bucket", "_sum", "_count"].reduce(String(name)) { name, ending in
                name.hasSuffix(ending) && lines.contains("# TYPE \(name.dropLast(ending.count)) histogram")
                    ? String(name.dropLast(ending.count)) : name
            }
            #expect(lines.contains { $0.hasPrefix("# HELP \(family) ") }, "\(line)")
        }
    }
}
