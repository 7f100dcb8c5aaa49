public import Apus
import ApusCore
package import ApusServe
import ApusStore
public import ArgumentParser

/// `apus serve`: answers requests over HTTP.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve models over HTTP, in the way of OpenAI's API, with a web page at /.",
        discussion: """
            Requests choose a model by its name; with one model they need not. The server listens on this machine only, \
            unless there is a key file. A line of it is a key, optionally followed by a name, concurrency=N and \
            tokens-per-minute=N; it is read again when it changes. SIGTERM and Control-C let running requests finish.

            Examples:
              apus serve smollm2
              apus serve smollm2 ./other.gguf --port 8081
              apus serve smollm2 --host 0.0.0.0 --api-key-file keys.txt
            """
    )

    @Argument(help: ArgumentHelp(ModelArgument.help))
    var models: [String]
    @Flag(help: ModelArgument.offlineHelp)
    var offline = false

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"
    @Option(help: "The port to listen on; 0 takes a free one.")
    var port = 8080
    @Option(help: "A file with the keys that clients must present.")
    var apiKeyFile: String?
    @Option(help: "A web origin whose pages may call, such as https://app.example; may be given several times.")
    var corsOrigin: [String] = []
    @Option(help: "The most answers under way or waiting; more are refused with status 429.")
    var maxRequests = 256
    @Option(help: "How long running requests may go on after SIGTERM.")
    var drainSeconds = 30
    @Option(
        help: ArgumentHelp(
            "How long a model stays loaded after its last request, such as 5m or 0; less if another needs its memory.",
            valueName: "duration"
        )
    )
    var keepAlive = KeepAlive.forever
    @Option(help: "How many requests of full length the KV cache has room for, or as many as fit the memory.")
    var contexts = 8
    @Option(help: "When requests may join those that are running; all but fused are for measurements.")
    var batching = Batching.fused
    @Flag(inversion: .prefixedNo, help: "Compute what prompts have in common once.")
    var prefixCache = true
    @Option(help: "A folder in which computed prompts outlive a restart (default: they are kept in memory only).")
    var cacheDir: String?
    @Option(help: "The most bytes of that folder (default: 4GB).")
    var cacheSize: MemorySize?
    @OptionGroup(title: "Model") var model: ModelOptionArguments

    func validate() throws {
        guard (0...65535).contains(port) else { throw ValidationError("--port: expected 0 to 65535, found \(port)") }
        guard maxRequests > 0 else { throw ValidationError("--max-requests: expected 1 or more, found \(maxRequests)") }
        guard (1...4096).contains(contexts) else {
            throw ValidationError("--contexts: expected 1 to 4096, found \(contexts)")
        }
        guard (0...86_400).contains(drainSeconds) else {
            throw ValidationError("--drain-seconds: expected 0 to 86400, found \(drainSeconds)")
        }
        guard cacheDir != nil || cacheSize == nil else {
            throw ValidationError("--cache-size is that of --cache-dir, which is missing")
        }
        guard cacheDir == nil || prefixCache else {
            throw ValidationError("--cache-dir keeps what --no-prefix-cache forbids to keep: leave one of them out")
        }
        guard OriginPolicy.isLoopback(host: host) || apiKeyFile != nil else {
            throw ValidationError(
                "--host \(host) can be reached by others: give the keys they must present with --api-key-file"
            )
        }
    }

    func run() async throws {
        #if Serve
        try await serve()
        #else
        throw ApusError(.unsupported, "this apus has no server: build it with --traits Serve")
        #endif
    }
}

extension Batching: ExpressibleByArgument {}

extension KeepAlive: ExpressibleByArgument {
    /// The duration of a text.
    package init?(argument: String) { self.init(argument) }
    /// How the default is shown.
    package var defaultValueDescription: String { "forever" }
}

#if Serve
import Logging
import Synchronization

/// Whether something has happened; set once, from any thread.
private final class Latch: Sendable {
    private let flag = Atomic(false)
    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }
}

extension ServeCommand {
    private func serve() async throws {
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        let logger = Logger(label: "apus")
        let keys = try apiKeyFile.map { path in try KeyFile(path: path) { logger.warning("\($0)") } }
        let folder = try cacheDir.map { path in
            try PrefixFolder(path: path, byteLimit: cacheSize?.byteCount ?? PrefixFolder.defaultByteLimit) {
                logger.warning("\($0)")
            }
        }
        let isServing = Latch()
        let registry = ModelRegistry(
            try await entries(folder, isServing),
            byteLimit: model.options.effectiveMemoryLimit,
            keepAlive: keepAlive
        ) { logger.info("\($0)") }
        Terminal.note(memoryText(registry.entries))
        try await Terminal.cancellingOnInterrupt { try await registry.loadAtStart() }
        isServing.set()
        let service = Service(registry: registry, admission: Admission(limit: maxRequests))
        let policy = OriginPolicy(isLoopback: OriginPolicy.isLoopback(host: host), allowedOrigins: Set(corsOrigin))
        let server = Server(
            api: API(service: service, origins: policy, keys: keys),
            host: host,
            port: port,
            drainDuration: .seconds(drainSeconds)
        )
        // The first interrupt is the server's to hear, the second ends the program.
        Interrupts.first = {}
        let (host, names) = (host, registry.entries.map(\.id).joined(separator: ", "))
        try await server.run { port in
            Terminal.note("apus: serving \(names) at http://\(host.contains(":") ? "[\(host)]" : host):\(port)\n")
        }
        registry.finishSaving(until: service.drainStart.advanced(by: .seconds(max(1, drainSeconds))))
    }

    /// The models with their plans, which do not change while the server runs.
    /// - Parameters:
    ///   - folder: where computed prompts are kept.
    ///   - isServing: whether progress is no longer drawn.
    private func entries(_ folder: PrefixFolder?, _ isServing: Latch) async throws -> [ModelRegistry.Entry] {
        var options = model.options
        options.contextCount = contexts
        options.maximumSequenceCount = maxRequests
        options.engine.batching = batching
        options.engine.cachesPrefixes = prefixCache
        options.prefixFolder = folder
        // So that a cancellation is felt and nobody waits long behind another's prompt.
        options.engine.maximumStepDuration = .milliseconds(250)
        var named: [(id: String, path: String)] = []
        for name in models {
            let id = Self.id(of: name)
            guard !named.contains(where: { $0.id == id }) else {
                throw ValidationError("two models would be called \(id)")
            }
            named.append((id, try await ModelArgument.resolve(name, isOffline: offline).path))
        }
        let facts = try named.map { try ModelFacts(ModelFile(path: $0.path)) }
        let plans = try MemoryPlan.sharing(facts, options: options)
        options.textByteLimit = MemoryPlan.spare(beside: plans, options.effectiveMemoryLimit)
        return zip(named, plans).map { model, plan in
            var options = options
            plan.fix(&options)
            return ModelRegistry.Entry(id: model.id, plan: plan) { [options] in
                defer { if !isServing.isSet { Terminal.showProgress() } }
                let draw = LoadingBar.progress()
                return try Model(path: model.path, options: options) { if !isServing.isSet { draw($0) } }
            }
        }
    }

    /// The plan of all models' memory.
    private func memoryText(_ entries: [ModelRegistry.Entry]) -> String {
        let options = model.options
        let limit = ByteCount.text(options.effectiveMemoryLimit)
        let width = entries.map(\.id.count).max() ?? 0
        var text = "apus: memory: \(limit) allowed, \(options.memoryLimitSource)\n"
        for entry in entries {
            let total = ByteCount.text(entry.plan.total)
            text += "  \(entry.id.padded(to: width + 1))\(total): \(entry.plan.partsText)\n"
        }
        if entries.count > 1, !MemoryPlan.fit(entries.map(\.plan), options.effectiveMemoryLimit) {
            text += "  Not all fit at once: the one used longest ago makes room.\n"
        }
        return text
    }

    /// A model's name in requests: a catalogue name as it is, a file's or folder's without path and ending.
    private static func id(of name: String) -> String {
        let last = name.split(separator: "/").last.map(String.init) ?? name
        return last.hasSuffix(".gguf") ? String(last.dropLast(5)) : last
    }
}
#endif
