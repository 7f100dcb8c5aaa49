import ApusEngine
import Foundation

/// One case of Fixtures/sampling.json: logits, a history, parameters, and what other implementations make of them.
struct SamplingFixture: Decodable {
    struct Parameters: Decodable {
        var temperature: Float
        var topK: Int?
        var topP: Float?
        var minP: Float?
        var typicalP: Float?
        var repetitionPenalty: Float?
        var repetitionWindow: Int?
        var frequencyPenalty: Float?
        var presencePenalty: Float?
        var logitBias: [String: Float]?
    }

    var parameters: Parameters
    var logits: [Float]
    var prompt: [Int32]
    var generated: [Int32]
    var probabilities: [String: Double]
    var logprobs: [Float]

    /// The case's parameters; what it does not name is off.
    var samplingParameters: SamplingParameters {
        var bias: [Int32: Float] = [:]
        for (token, value) in parameters.logitBias ?? [:] {
            if let token = Int32(token) { bias[token] = value }
        }
        return SamplingParameters(
            temperature: parameters.temperature,
            topK: parameters.topK ?? 0,
            topP: parameters.topP ?? 1,
            minP: parameters.minP ?? 0,
            typicalP: parameters.typicalP ?? 1,
            repetitionPenalty: parameters.repetitionPenalty ?? 1,
            repetitionWindow: parameters.repetitionWindow,
            frequencyPenalty: parameters.frequencyPenalty ?? 0,
            presencePenalty: parameters.presencePenalty ?? 0,
            logitBias: bias
        )
    }

    /// A sampler that has seen the case's history.
    func makeSampler(seed: UInt64 = 1) -> TokenSampler {
        var sampler = TokenSampler(
            samplingParameters,
            seed: seed,
            prompt: prompt,
            tokenLimit: prompt.count + generated.count + 1
        )
        for token in generated { sampler.accept(token) }
        return sampler
    }

    static func load() throws -> [SamplingFixture] {
        let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/sampling.json")
        return try JSONDecoder().decode([SamplingFixture].self, from: Data(contentsOf: url))
    }
}

extension TokenSampler {
    /// Chooses a token from logits given as an array, which stays as it is.
    func sample(_ logits: [Float], index: Int, candidates: inout Candidates) -> Int32? {
        var row = logits
        var span = row.mutableSpan
        let token = sample(&span, index: index, candidates: &candidates)
        return token
    }
}
