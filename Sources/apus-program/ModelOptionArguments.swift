import Apus
import ApusCore
import ArgumentParser

/// The options of every command that loads a model.
struct ModelOptionArguments: ParsableArguments {
    @Option(help: "Compute threads (default: as many as affinity and CPU quota allow).")
    var threads: Int?

    @Option(help: "The most tokens of prompt and answer together (default: what the model was trained for, if it fits).")
    var context: Int?

    @Option(help: "How keys and values are stored: f16 or q8_0.")
    var kv: String = "f16"

    @Option(help: "Memory for weights, KV cache and buffers, such as 2GB (default: 80 % of what is allowed).")
    var memory: String?

    @Option(help: "Round float weights to this type while loading, such as q8_0 or q4_k.")
    var quantize: String?

    @Option(help: .hidden)
    var chunk: Int?

    /// The options as a value.
    /// - Throws: `ValidationError` naming option, expected and found value.
    func options() throws -> ModelOptions {
        var options = ModelOptions(threadCount: threads, contextLength: context)
        guard let kvType = KVType(rawValue: kv.lowercased()) else {
            let known = KVType.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--kv: expected one of \(known), found \"\(kv)\"")
        }
        options.kvType = kvType
        if let memory {
            guard let bytes = ByteSize.parse(memory) else {
                throw ValidationError("--memory: expected a size such as 2GB or 512MiB, found \"\(memory)\"")
            }
            options.memoryLimit = bytes
        }
        if let quantize {
            guard let type = ElementType(name: quantize) else {
                let known = ElementType.allCases.map { $0.description.lowercased() }.joined(separator: ", ")
                throw ValidationError("--quantize: expected one of \(known), found \"\(quantize)\"")
            }
            options.quantization = type
        }
        if let chunk {
            guard (1...4096).contains(chunk) else { throw ValidationError("--chunk: expected 1 to 4096, found \(chunk)") }
            options.chunkLength = chunk
        }
        return options
    }
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
