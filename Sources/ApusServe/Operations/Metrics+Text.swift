import Apus
import ApusEngine

extension Metrics {
    /// The metrics in Prometheus' text format, version 0.0.4.
    /// - Parameters:
    ///   - models: the models and, of those that are loaded, what their engines report.
    ///   - inFlightCount: answers under way or waiting.
    package func text(models: [ModelRegistry.Report], inFlightCount: Int) -> String {
        var page = MetricsPage()
        let state = latest
        page.header("apus_http_request_seconds", "histogram", "Duration of HTTP requests.")
        for (label, histogram) in state.requests.sorted(by: { $0.key < $1.key }) {
            page.histogram("apus_http_request_seconds", ["route": label.route, "status": "\(label.status)"], histogram)
        }
        for timing in Timing.allCases {
            page.header(timing.metricName, "histogram", timing.help)
            page.histogram(timing.metricName, [:], state.timings[timing] ?? Histogram(bounds: timing.bounds))
        }
        page.counter("apus_prompt_tokens_total", "Tokens of prompts.", state.usage.promptTokenCount)
        page.counter(
            "apus_cached_prompt_tokens_total",
            "Tokens of prompts that were not computed again.",
            state.usage.cachedTokenCount
        )
        page.counter("apus_generated_tokens_total", "Tokens generated.", state.usage.generatedTokenCount)
        page.counter("apus_cancelled_requests_total", "Requests whose client left.", state.cancellationCount)
        page.header("apus_answer_stage_seconds_total", "counter", "Where the time of finished answers went.")
        for stage in ["prepare", "queue", "prefill", "decode"] {
            page.sample("apus_answer_stage_seconds_total", ["stage": stage], state.stages[stage] ?? 0)
        }
        page.header("apus_answer_seconds_total", "counter", "Time from arrival to the end of finished answers.")
        page.sample("apus_answer_seconds_total", [:], state.answerSeconds)
        page.header("apus_answers_in_flight", "gauge", "Answers under way or waiting.")
        page.sample("apus_answers_in_flight", [:], Double(inFlightCount))
        Self.write(models, to: &page)
        return page.text
    }

    private static func write(_ models: [ModelRegistry.Report], to page: inout MetricsPage) {
        page.header("apus_model_loaded", "gauge", "Whether a model is in memory.")
        for model in models {
            page.sample("apus_model_loaded", ["model": model.entry.id], model.model == nil ? 0 : 1)
        }
        page.header("apus_model_loads_total", "counter", "How often a model was loaded.")
        for model in models {
            page.sample("apus_model_loads_total", ["model": model.entry.id], Double(model.loadCount))
        }
        page.header("apus_model_memory_bytes", "gauge", "Bytes planned for a model while it is loaded.")
        for model in models {
            let plan = model.entry.plan
            for (part, bytes) in [("weights", plan.weights), ("kv", plan.keyValues), ("buffers", plan.buffers)] {
                page.sample("apus_model_memory_bytes", ["model": model.entry.id, "part": part], Double(bytes))
            }
        }
        let engines = models.compactMap { report in
            report.model.map { (name: report.entry.id, statistics: $0.engine.statistics) }
        }
        for row in engineRows { page.engineRow(row, engines) }
    }

    /// A metric that every engine reports.
    struct EngineRow: Sendable {
        let name: String
        let kind: String
        let help: String
        let value: @Sendable (EngineStatistics) -> Double
    }

    private static let engineRows: [EngineRow] = [
        EngineRow(name: "apus_engine_running", kind: "gauge", help: "Answers being computed.") {
            Double($0.runningCount)
        },
        EngineRow(name: "apus_engine_waiting", kind: "gauge", help: "Answers waiting for the engine.") {
            Double($0.waitingCount)
        },
        EngineRow(name: "apus_kv_blocks", kind: "gauge", help: "KV blocks in the pool.") { Double($0.blockCount) },
        EngineRow(name: "apus_kv_blocks_free", kind: "gauge", help: "KV blocks that no answer holds.") {
            Double($0.availableBlockCount)
        },
        EngineRow(name: "apus_kv_blocks_cached", kind: "gauge", help: "Free KV blocks kept for later prompts.") {
            Double($0.cachedBlockCount)
        },
        EngineRow(name: "apus_steps_total", kind: "counter", help: "Steps computed.") { Double($0.stepCount) },
        EngineRow(name: "apus_step_rows_total", kind: "counter", help: "Rows computed in steps.") {
            Double($0.computedRowCount)
        },
        EngineRow(name: "apus_step_seconds_total", kind: "counter", help: "Time spent in steps.") {
            $0.stepDuration.seconds
        },
        EngineRow(name: "apus_last_step_seconds", kind: "gauge", help: "Duration of the last step.") {
            $0.lastStepDuration.seconds
        },
        EngineRow(
            name: "apus_cached_tokens_total",
            kind: "counter",
            help: "Tokens whose keys and values were there, in memory or on disk."
        ) {
            Double($0.cachedTokenCount)
        },
        EngineRow(
            name: "apus_restored_tokens_total",
            kind: "counter",
            help: "Of these, tokens whose keys and values were read from disk."
        ) {
            Double($0.restoredTokenCount)
        },
        EngineRow(name: "apus_saved_kv_blocks_total", kind: "counter", help: "KV blocks written to disk.") {
            Double($0.savedBlockCount)
        },
        EngineRow(name: "apus_saved_bytes_total", kind: "counter", help: "Bytes of KV blocks written to disk.") {
            Double($0.savedByteCount)
        },
        EngineRow(name: "apus_preemptions_total", kind: "counter", help: "Answers that gave their KV blocks back.") {
            Double($0.preemptionCount)
        },
    ]
}

extension Metrics.RequestLabel: Comparable {
    static func < (left: Self, right: Self) -> Bool { (left.route, left.status) < (right.route, right.status) }
}

extension Metrics.Timing {
    fileprivate var metricName: String {
        switch self {
        case .queue: "apus_queue_seconds"
        case .firstToken: "apus_time_to_first_token_seconds"
        case .tokenGap: "apus_inter_token_seconds"
        }
    }

    fileprivate var help: String {
        switch self {
        case .queue: "Time from the engine's receipt of an answer to its first step."
        case .firstToken: "Time from a request's arrival to an answer's first token."
        case .tokenGap: "Time between two tokens of an answer."
        }
    }
}
