import Apus
public import ApusCore
public import ApusTensor
public import ArgumentParser

/// The options of every command that loads a model.
struct ModelOptionArguments: ParsableArguments {
    @Option(help: "Compute threads (default: as many as affinity and CPU quota allow).")
    var threads: Int?

    @Option(
        help: "The most tokens of prompt and answer together (default: what the model was trained for, if it fits)."
    )
    var context: Int?

    @Option(help: "How keys and values are stored.")
    var kv = KVType.f16

    @Option(help: "Memory for weights, KV cache and buffers, such as 2GB (default: 80 % of what is allowed).")
    var memory: MemorySize?

    @Option(help: "Round float weights to this type while loading.")
    var quantize: ElementType?

    @Option(help: .hidden)
    var chunk: Int?

    func validate() throws {
        if let chunk, !(1...4096).contains(chunk) {
            throw ValidationError("--chunk: expected 1 to 4096, found \(chunk)")
        }
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads: expected 1 to 1024, found \(threads)")
        }
    }

    /// The options as a value.
    var options: ModelOptions {
        var options = ModelOptions(
            threadCount: threads,
            contextLength: context,
            kvType: kv,
            quantization: quantize,
            memoryLimit: memory?.byteCount
        )
        options.chunkLength = chunk
        options.maximumSequenceCount = 1
        return options
    }
}

/// A size of memory as an argument: `2GB`, `512MiB`.
struct MemorySize: ExpressibleByArgument {
    let byteCount: Int

    init?(argument: String) {
        guard let byteCount = ByteSize.parse(argument) else { return nil }
        self.byteCount = byteCount
    }
}

extension KVType: ExpressibleByArgument {
    /// The type with the given name, in any case.
    public init?(argument: String) { self.init(rawValue: argument.lowercased()) }
}

extension ElementType: ExpressibleByArgument {
    /// The type with the given name, in any case.
    public init?(argument: String) { self.init(name: argument) }
    /// The names, for help and completion.
    public static var allValueStrings: [String] { allCases.map { $0.description.lowercased() } }
}

/// How tokens are chosen, as `run` and `chat` take it.
struct SamplingArguments: ParsableArguments {
    @Option(help: "Divides the logits; 0 always takes the likeliest token.")
    var temperature: Float = 0.8

    @Option(help: "Keeps this many of the likeliest tokens; 0 keeps all.")
    var topK: Int = 40

    @Option(help: "Keeps the fewest tokens that reach this probability together; 1 keeps all.")
    var topP: Float = 0.95

    @Option(help: "Keeps tokens at least this likely relative to the likeliest; 0 keeps all.")
    var minP: Float = 0.05

    @Option(help: "Keeps the tokens of most typical surprise up to this probability; 1 keeps all.")
    var typicalP: Float = 1

    @Option(help: "Divides the logits of recent tokens; 1 is off.")
    var repetitionPenalty: Float = 1

    @Option(help: "Subtracted from a token's logit for each time it was generated.")
    var frequencyPenalty: Float = 0

    @Option(help: "Subtracted from a token's logit if it was generated at all.")
    var presencePenalty: Float = 0

    @Option(help: "Makes the answer repeatable: the same seed gives the same tokens.")
    var seed: UInt64?

    func validate() throws {
        do {
            try parameters.validate()
        } catch let error as ApusError {
            // `topP: expected …` is `--top-p: expected …` here.
            let field = error.message.prefix { $0 != ":" }
            let option = field.map { $0.isUppercase ? "-\($0.lowercased())" : "\($0)" }.joined()
            throw ValidationError("--\(option)\(error.message.dropFirst(field.count))")
        }
    }

    /// The parameters as a value.
    var parameters: SamplingParameters {
        SamplingParameters(
            temperature: temperature,
            topK: topK,
            topP: topP,
            minP: minP,
            typicalP: typicalP,
            repetitionPenalty: repetitionPenalty,
            frequencyPenalty: frequencyPenalty,
            presencePenalty: presencePenalty,
            seed: seed
        )
    }
}
